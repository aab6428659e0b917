//! The script tag that brings the chat.

use maitred_core::{id::AgentId, scope::Environment};
use reqwest::Url;

use super::{
    client::{Answer, origin},
    markup::{Markup, Script},
    report::Report,
    secrets::base,
};

const CHECK: &str = "snippet";
const EMBED: &str = "`<script src=\"https://…/widget.js\" data-agent=\"agt_…\" async></script>`, where `…` is your maitred";

/// What the tag says.
pub(super) struct Snippet {
    /// `…/widget.js`.
    pub(super) src: Url,
    pub(super) agent: AgentId,
    pub(super) environment: Environment,
    /// A token that stands in the page.
    pub(super) token: Option<String>,
    pub(super) nonce: Option<String>,
}

impl Snippet {
    /// An address of its maitred.
    pub(super) fn server(&self, path: &str) -> Url {
        let mut url = self.src.clone();
        url.set_path(path);
        url.set_query(None);
        url.set_fragment(None);
        url
    }
}

/// The tag, if there is one that can work.
pub(super) fn find(page: &Answer, markup: &Markup, report: &mut Report) -> Option<Snippet> {
    let base = base(page, markup);
    let tags: Vec<(&Script, Url)> = markup
        .scripts
        .iter()
        .filter_map(|script| Some((script, base.join(script.src()?).ok()?)))
        .filter(|(script, src)| is_loader(src) || script.attribute("data-agent").is_some())
        .collect();
    let [(script, src), others @ ..] = tags.as_slice() else {
        absent(markup, report);
        return None;
    };
    match read(script, src) {
        Ok(snippet) => {
            tell(script, &snippet, others.len(), report);
            Some(snippet)
        }
        Err((found, fix)) => {
            report.fail(CHECK, found, fix);
            None
        }
    }
}

/// `/widget.js`, or `/widget@1.2.3.js`.
fn is_loader(src: &Url) -> bool {
    let name = src.path().rsplit('/').next().unwrap_or_default();
    name == "widget.js" || (name.starts_with("widget@") && name.ends_with(".js"))
}

fn read(script: &Script, src: &Url) -> Result<Snippet, (String, String)> {
    let Some(agent) = script.attribute("data-agent") else {
        let found = format!("the tag of `{src}` has no `data-agent`");
        return Err((
            found,
            "add it: `maitred agent list` names your agents".to_owned(),
        ));
    };
    let agent = agent.parse().map_err(|_| {
        (
            "its `data-agent` is no agent's id".to_owned(),
            "copy it whole, `agt_…`: `maitred agent list` names your agents".to_owned(),
        )
    })?;
    let environment = match script.attribute("data-environment") {
        None => Environment::Production,
        Some(name) => name.parse().map_err(|_| {
            (
                "its `data-environment` is neither `production` nor `staging`".to_owned(),
                "write one of them, or leave it out for production".to_owned(),
            )
        })?,
    };
    if script
        .attribute("type")
        .is_some_and(|it| it.trim().eq_ignore_ascii_case("module"))
    {
        return Err((
            "it is a `type=\"module\"` script, which cannot see its own attributes".to_owned(),
            "leave `type` out".to_owned(),
        ));
    }
    Ok(Snippet {
        src: src.clone(),
        agent,
        environment,
        token: script
            .attribute("data-token")
            .map(str::to_owned)
            .filter(|token| !token.is_empty()),
        nonce: script.attribute("nonce").map(str::to_owned),
    })
}

fn tell(script: &Script, snippet: &Snippet, others: usize, report: &mut Report) {
    let held_back = script
        .attribute("type")
        .is_some_and(|it| !is_javascript(it));
    if others > 0 {
        report.warn(
            CHECK,
            format!("there are {} tags; browsers use the first", others + 1),
            "leave one of them",
        );
    } else if held_back {
        report.warn(
            CHECK,
            "its `type` keeps browsers from running it, as consent tools have it",
            "make sure that something runs it, or leave `type` out",
        );
    } else {
        report.ok(
            CHECK,
            format!(
                "`{}`, {}, from {}",
                snippet.agent,
                snippet.environment,
                origin(&snippet.src)
            ),
        );
    }
}

fn is_javascript(media: &str) -> bool {
    let media = media.trim().to_ascii_lowercase();
    media.is_empty() || media.ends_with("/javascript") || media.ends_with("/ecmascript")
}

/// A tag may be added by a script, and none is run here.
fn absent(markup: &Markup, report: &mut Report) {
    let mentioned = markup
        .scripts
        .iter()
        .any(|script| script.text.contains("/widget.js") || script.text.contains("agt_"));
    if mentioned {
        report.unknown(
            CHECK,
            "a script of the page seems to add it, and no script is run here",
            format!("look at the page in a browser; or put the tag into the page's HTML: {EMBED}"),
        );
    } else {
        report.fail(
            CHECK,
            "there is no script tag of maitred's in the page's HTML",
            format!(
                "embed it: {EMBED}. One that a tag manager adds later cannot be seen from here"
            ),
        );
    }
}
