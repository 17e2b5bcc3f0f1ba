//! Texts that try to be more than text, and the posts that they end up in. What is made of them is kept in a file, which the
//! shim's tests read with Mattermost's own Markdown parser.

use crate::decision::{Needed, OwnDecision, Vote, Voter};
use crate::ledger::{Outcome, Record};
use crate::mattermost::Post;
use crate::messages::{self, DECIDER_ANNOTATION, Site};
use crate::teleport::{AccessRequest, Resource, Review, State};
use crate::time::Time;

/// What is tried, and the text that tries it.
pub(super) const TEXTS: &[(&str, &str)] = &[
    ("calls everybody", "@all @here @channel"),
    ("calls in capitals", "@Channel, @ALL. @heRe!"),
    ("calls one person", "ask @carol or @carol.smith-x_y."),
    ("calls a group", "@dba-oncall: look"),
    ("calls after punctuation", "(@all) -@all _@all_ *@all* .@all"),
    ("calls by a number", "&#64;all &#x40;all &commat;all"),
    ("calls in two steps", "@@all @\u{200b}@all \\@all"),
    ("a hidden joiner in a call", "@\u{ad}all @\u{2060}all"),
    ("hashtag", "#urgent ##urgent (#urgent) x#urgent #dba.prod"),
    ("heading", "# Approved"),
    ("heading of the sixth degree", "###### Approved"),
    ("heading by a line of =", "✅ Approved\n==="),
    ("heading by a line of -", "✅ Approved\n---"),
    ("heading by one sign", "Approved\n=\nDenied\n-"),
    ("heading after a picture of a line's end", "x\u{2424}# Approved\u{2424}==="),
    ("rule", "* * *\n_ _ _\n- - -\n***\n___"),
    ("link", "[safe](http://evil.example)"),
    ("link with a title", "[safe](http://evil.example \"https://safe.example\")"),
    ("link by reference", "[safe][1]\n\n[1]: http://evil.example"),
    ("link by its own reference", "[safe]\n\n[safe]: http://evil.example 'x'"),
    ("link in angle brackets", "<http://evil.example> <mailto:eve@evil.example> <www.evil.example>"),
    ("link with a broken bracket", "[a\\](b)](http://evil.example) ](http://evil.example)"),
    ("link over two lines", "[safe\n](http://evil.example)"),
    ("picture", "![x](http://evil.example/pixel.png)"),
    ("picture in a link", "[![x](http://evil.example/p.png)](http://evil.example)"),
    ("picture by reference", "![x][p]\n\n[p]: http://evil.example/p.png"),
    ("picture with a size", "![x](http://evil.example/p.png =1x1)"),
    ("address in a sentence", "see https://tickets.example/T_1, or http://wiki.example:8080/a?b=c&d=e#f."),
    ("address with a user's name", "https://github.com@evil.example/login https://x:y@evil.example"),
    ("address in other letters", "https://g\u{456}thub.com/ https://例え.jp/"),
    ("address with Markdown in it", "https://x.example/*a*/~b~/[c](d) https://x.example/`x`"),
    ("address without a scheme", "www.evil.example www2.evil.example evil.example/x evil.com/"),
    ("address after a sign", "!evil.com/x *www.evil.com (www.evil.com) _www.evil.com_"),
    ("other schemes", "ftp://evil.example javascript:alert(1) data:text/html,x mattermost://evil.example tel:+4912345"),
    ("scheme in capitals", "HTTPS://EVIL.EXAMPLE/X Http:evil.example"),
    ("e-mail", "write to eve@evil.example or mailto:eve@evil.example"),
    ("channel", "~town-square (~off-topic) ~~town-square"),
    ("struck out", "~~not~~ this"),
    ("strong and slanted", "**Approved** __Approved__ *x* _x_ ***x*** a_b_c"),
    ("code", "`x` ``x` `` ```x```"),
    ("code that does not end", "`x"),
    ("code by lines", "```\n@all\n```\n~~~\nx\n~~~"),
    ("code by indentation", "x\n\n    # code\n\tcode"),
    ("LaTeX", "$\\color{red}{Approved}$ and $x$"),
    ("LaTeX by lines", "```latex\nx\n```\n$$x$$"),
    ("emoji", ":white_check_mark: :+1: a:smile: :100:"),
    ("emoji of letters", ":) :-D :p <3 ;) :/ :@ :$ :|"),
    ("emoji beside a time", "1:30: at 10:30:15"),
    ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
    ("table without edges", "a | b\n--|--\n1 | 2\n:-|-:"),
    ("list", "- a\n* b\n+ c\n  - d"),
    ("list of numbers", "1. a\n2) b\n10. c\n3."),
    ("list of tasks", "- [x] reviewed\n- [ ] decided"),
    ("quotation", "> @all\n>> # x"),
    ("end of a quotation", "x\n\n\nApproved by nobody"),
    ("HTML", "<b>x</b> <img src=http://evil.example/p> <script>x</script>"),
    ("HTML comment", "<!-- x --> <!--"),
    ("HTML without an end", "<a href=\"http://evil.example\" <?x <![CDATA["),
    ("entities", "&lt;b&gt; &amp;lt; &nbsp; &#35; &#x23;x & &x"),
    ("backslashes", "\\ \\\\ \\n C:\\dir\\* \\_x\\_ x\\"),
    ("line's end by a backslash", "a\\\nb  \nc"),
    ("turned direction", "\u{202e}devorppA\u{202c} \u{2066}x\u{2069} \u{61c}x"),
    ("soft hyphens and joiners", "ap\u{ad}pro\u{200d}ved \u{2061}x\u{2062}\u{2063}\u{2064}"),
    ("line and paragraph signs", "a\u{2028}# b\u{2029}# c\u{85}# d\u{b}# e"),
    ("variation selectors", "x\u{fe0f}\u{fe00}\u{e0100}y"),
    ("tags", "x\u{e0001}\u{e0061}\u{e007f}y"),
    ("blank letters", "\u{115f}\u{1160}\u{3164}\u{ffa0}\u{2800}\u{1d159}\u{13441}"),
    ("other spaces", "a\u{a0}\u{a0}b\u{3000}c\u{1680}d\u{2003}e"),
    ("controls", "a\0b\u{1b}[31mc\u{7}\rd\te"),
    ("a flood of marks", "a\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308} \u{300}\u{300}\u{300}"),
    ("marks that enclose", "x\u{20dd}\u{20e3}\u{488}"),
    ("private and unknown characters", "\u{e000}\u{f0000}\u{378}\u{ffff}"),
    ("what the web app puts in a text's place", "$MM_ATMENTION0$ $MM_EMOTICON0$"),
    ("a command", "/teleport audit"),
];

const ADDRESS: &str = "https://tp.example/web/requests/0b1c";

/// Everything that people read as Markdown when a text stands wherever one from outside can stand.
pub(super) fn shown(text: &str) -> Vec<String> {
    let site = Site {
        cluster: text.into(),
        page: ADDRESS.into(),
        needed: Some(Needed { approve: 2, deny: 1 }),
        ..Site::default()
    };
    let review = |state, decider: &str| Review {
        author: text.into(),
        state,
        reason: text.into(),
        created: None,
        decider: decider.into(),
    };
    let mut pending = Record::new(AccessRequest {
        id: text.into(),
        user: text.into(),
        roles: vec![text.into(), "dba".into()],
        resources: vec![Resource {
            cluster: text.into(),
            kind: text.into(),
            name: text.into(),
            sub_resource: text.into(),
            constraints: Vec::new(),
        }],
        reason: text.into(),
        reviews: vec![review(State::Approved, text), review(State::Denied, "")],
        expires: Some(Time(3_600_000)),
        ..AccessRequest::default()
    });
    pending.digest = "d".into();
    pending.ballot.votes = vec![vote(text)];
    let mut large = pending.clone();
    large.request.roles.extend((0..24).map(|number| format!("r{number}")));
    let mut approved = Record { outcome: Outcome::Approved, ..pending.clone() };
    approved.request.state = State::Approved;
    approved.request.resolve_reason = text.into();
    approved.request.resolve_annotations.insert(DECIDER_ANNOTATION.into(), vec![text.into()]);
    let mut own = approved.clone();
    own.ballot.decision = Some(OwnDecision {
        state: State::Approved,
        voters: vec![
            Voter { user_id: "u".into(), username: text.into() },
            Voter { user_id: "v".into(), username: text.into() },
        ],
        roles: vec!["dba".into()],
        refused_roles: vec![text.into()],
        starts: None,
        reason: text.into(),
        grant: String::new(),
        entry: "e".into(),
        annotated: false,
        asked: true,
        time: Time(1),
    });
    let mut promoted = Record { outcome: Outcome::Promoted, ..pending.clone() };
    promoted.request.promoted_to = text.into();

    let mut shown = vec![messages::summary(&pending.request)];
    for record in [pending, approved, own, promoted] {
        let news = [messages::news(&record), messages::news_for_requester(&site, &record)].concat();
        let posts = news.iter().map(|news| messages::reply(&site.cluster, &record, news));
        shown.extend(posts.chain([messages::post(&site, &record)]).flat_map(markdown_of));
    }
    // What does not fit into a post is in its thread.
    let parts = messages::parts(&large).unwrap_or_default();
    shown.extend(parts.iter().flat_map(|news| markdown_of(messages::reply(&site.cluster, &large, news))));
    // Texts that are the plugin's alone need not be kept.
    let own_alone = |text: &String| text.is_ascii() && text.len() < 20 && !text.contains(['`', '>']);
    shown.retain(|text| !own_alone(text));
    shown.sort();
    shown.dedup();
    shown
}

fn vote(text: &str) -> Vote {
    Vote {
        user_id: "u".into(),
        username: text.into(),
        state: State::Approved,
        digest: "d".into(),
        channel_id: "c".into(),
        roles: Vec::new(),
        starts: None,
        reason: text.into(),
        time: Time(1),
    }
}

/// The parts of a post that are read as Markdown.
fn markdown_of(post: Post) -> Vec<String> {
    let mut parts = vec![post.message];
    for attachment in post.attachments {
        parts.extend([attachment.pretext, attachment.text]);
        parts.extend(attachment.fields.into_iter().flat_map(|field| [field.title, field.value]));
    }
    parts.retain(|part| !part.is_empty());
    parts
}
