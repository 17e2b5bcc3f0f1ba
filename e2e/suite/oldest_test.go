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
		TestAClickOnAPostThatSomebodyHasEditedDecidesNothingAndThePostIsRepaired,
		TestAPostThatAnotherPluginChangesHasNoApproveButton,
		TestAPostFollowsWhatHappensInTeleport,
		TestARequestThatExpiresIsShownAsExpiredAndTheRequesterIsTold,
		TestWhatHappenedWhileThePluginWasAwayIsCaughtUp,
		TestRestartsLoseAndDoubleNothing,
		TestWrongSettingsAreNotSavedAndTheAdminReadsWhy,
		TestSavingOtherSettingsIsNotHeldUpAndLosesNone,
		TestPastedCredentialsAreSealedInTheServersConfiguration,
		TestWhatVersion010LeftBehindGoesOnWorking,
	)
}
