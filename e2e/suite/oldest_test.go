package suite

import "github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"

// chooseOnOldest names the tests that run on the oldest Mattermost, too: those in which the server has a part of its own.
func chooseOnOldest() error {
	return mattermost.ChooseOnOldest(
		TestAnApproversClickDecidesInTheirName,
		TestAReasonReachesTeleportAndThePost,
		TestTheClickOfSomebodyWhoMayNotDecideChangesNothing,
		TestNobodyDecidesTheirOwnRequest,
		TestADialogMayGrantFewerRolesAndLaterWhereTheServerKnowsThat,
		TestADialogIsOnlyTakenFromWhomItWasOpenedFor,
		TestAUserIDInAHeaderIsNotBelieved,
		TestATokenDoesNotDecide,
		TestAnotherPluginAsksForNothingInSomebodysName,
		TestAClickOnAPostWithAnotherMessageDecidesNothingAndThePostIsRepaired,
		TestPostsCanBeDecidedAgainOnceNoOtherPluginChangesThem,
		TestAPostFollowsWhatHappensInTeleport,
		TestARequestThatExpiresIsShownAsExpiredAndTheRequesterIsTold,
		TestWhatHappenedWhileThePluginWasAwayIsCaughtUp,
		TestRestartsLoseAndDoubleNothing,
		TestAnUpgradeOfMattermostLosesAndDoublesNothing,
		TestWrongSettingsAreNotSavedAndTheAdminReadsWhy,
		TestSavingOtherSettingsIsNotHeldUpAndLosesNone,
		TestPastedCredentialsAreSealedInTheServersConfiguration,
		TestSealingLosesNoneOfTheServersOwnSecrets,
		TestWhatVersion010LeftBehindGoesOnWorking,
	)
}
