//! `maitred key impact` and `maitred key revoke`: what a key is good for, and no longer.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
};

use maitred_core::id::KeyId;
use maitred_store::{KeyImpact, KeyState, Store};

use super::said;
use crate::{
    cli::data::{Where, counted},
    http::KeyImpactView,
};

pub(super) async fn impact(place: &Where, key: KeyId) -> anyhow::Result<ExitCode> {
    let store = place.data.open().await?;
    place.found(&store).await?;
    if !store
        .keys(place.scope())
        .await?
        .iter()
        .any(|it| it.id == key)
    {
        writeln!(
            io::stderr(),
            "error: there is no such key in {} of this agent\nhint: `maitred key list` names them",
            place.environment
        )?;
        return Ok(ExitCode::from(1));
    }
    let impact = store.key_impact(place.scope(), key).await?;
    if place.data.json {
        place.data.print_value(&KeyImpactView::from(impact))?;
    } else {
        writeln!(io::stdout(), "{}", sentences(key, &impact))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what breaks, and asks on a terminal: a script has nobody to answer.
pub(super) async fn revoke(place: &Where, key: KeyId, yes: bool) -> anyhow::Result<ExitCode> {
    let store = place.data.open().await?;
    if is_good(&store, place, key).await? {
        let impact = store.key_impact(place.scope(), key).await?;
        writeln!(io::stderr(), "{}", sentences(key, &impact))?;
        let asks =
            !yes && !place.data.json && io::stdin().is_terminal() && io::stderr().is_terminal();
        if asks && is_in_use(&impact) && !is_meant(key)? {
            writeln!(io::stderr(), "nothing was changed")?;
            return Ok(ExitCode::from(1));
        }
    }
    let done = store.revoke_key(place.scope(), key).await?;
    let sentence = format!("`{key}` is revoked, and its sessions have ended");
    said(done, place, sentence)
}

async fn is_good(store: &Store, place: &Where, key: KeyId) -> anyhow::Result<bool> {
    let keys = store.keys(place.scope()).await?;
    let mut found = keys.iter().filter(|it| it.id == key);
    Ok(found.any(|it| !matches!(it.state, KeyState::Revoked(_))))
}

fn is_in_use(impact: &KeyImpact) -> bool {
    impact.tokens > 0 || impact.live_sessions > 0
}

fn is_meant(key: KeyId) -> anyhow::Result<bool> {
    write!(io::stderr(), "revoke `{key}`? [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What depends on a key.
fn sentences(key: KeyId, impact: &KeyImpact) -> String {
    if !is_in_use(impact) {
        let last = match impact.last_used_at {
            Some(at) => format!("was last used at {at:.0}"),
            None => "was never used".to_owned(),
        };
        return format!("`{key}` {last}: nothing depends on it that was seen in the last 7 days");
    }
    let mut told = format!(
        "`{key}` vouched for {} with {} in the last 7 days",
        counted(impact.subjects, "user"),
        counted(impact.tokens, "token"),
    );
    if let Some(at) = impact.last_used_at {
        told += &format!(", the last at {at:.0}");
    }
    if !impact.origins.is_empty() {
        told += &format!("\ntheir pages: {}", impact.origins.join(" "));
    }
    told += &match impact.live_sessions {
        0 => "\nno session that it opened is open now".to_owned(),
        1 => "\n1 session that it opened is open now; revoking the key ends it".to_owned(),
        more => {
            format!("\n{more} sessions that it opened are open now; revoking the key ends them")
        }
    };
    told
}

#[cfg(test)]
mod tests {
    use maitred_core::clock::Clock;

    use super::*;

    #[test]
    fn k6_what_depends_on_a_key_is_said_in_sentences() {
        let key = KeyId::new(&Clock::manual("2026-11-23T14:03:07Z".parse().unwrap()));
        let at = Some("2026-11-23T14:03:07Z".parse().unwrap());
        let busy = KeyImpact {
            tokens: 120,
            subjects: 34,
            origins: vec![
                "https://shop.example".to_owned(),
                "https://www.shop.example".to_owned(),
            ],
            live_sessions: 7,
            last_used_at: at,
        };
        let quiet = KeyImpact {
            tokens: 1,
            subjects: 1,
            origins: Vec::new(),
            live_sessions: 0,
            ..busy.clone()
        };
        let idle = KeyImpact {
            tokens: 0,
            subjects: 0,
            ..quiet.clone()
        };
        let new = KeyImpact {
            last_used_at: None,
            ..idle.clone()
        };

        let told = [busy, quiet, idle, new].map(|impact| sentences(key, &impact));

        let told = told.join("\n").replace(&key.to_string(), "key_…");
        insta::assert_snapshot!(told, @r"
        `key_…` vouched for 34 users with 120 tokens in the last 7 days, the last at 2026-11-23T14:03:07Z
        their pages: https://shop.example https://www.shop.example
        7 sessions that it opened are open now; revoking the key ends them
        `key_…` vouched for 1 user with 1 token in the last 7 days, the last at 2026-11-23T14:03:07Z
        no session that it opened is open now
        `key_…` was last used at 2026-11-23T14:03:07Z: nothing depends on it that was seen in the last 7 days
        `key_…` was never used: nothing depends on it that was seen in the last 7 days
        ");
    }
}
