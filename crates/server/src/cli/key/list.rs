//! `maitred key list`: what there is, and how it goes.

use std::process::ExitCode;

use maitred_store::{FetchedSet, KeyMaterial, KeyState, KeyUsage, StoredKey};

use crate::cli::data::{Fields, Where, counted, fields};

pub(super) async fn list(place: &Where) -> anyhow::Result<ExitCode> {
    let store = place.data.open().await?;
    place.found(&store).await?;
    let keys = store.keys(place.scope()).await?;
    let sets = store.fetched_sets(place.scope()).await?;
    let usage = store.key_usage(place.scope()).await?;
    let told = keys.iter().map(|key| {
        let set = sets.iter().find(|set| set.key == key.id);
        let usage = usage.iter().find(|usage| usage.key == key.id.to_string());
        let mut told = key_fields(key, set);
        told.extend(if place.data.json {
            usage_fields(usage)
        } else {
            fields! { used: usage_sentence(usage) }
        });
        told
    });
    let none = "there is no key yet; `maitred key create` makes one";
    place.data.print_list(told.collect(), none)
}

fn key_fields(key: &StoredKey, set: Option<&FetchedSet>) -> Fields {
    let state = match key.state {
        KeyState::Active => "active".to_owned(),
        KeyState::Retiring(until) => format!("retiring until {until:.0}"),
        KeyState::Revoked(at) => format!("revoked at {at:.0}"),
    };
    // By which the operator knows it again.
    let shown = match &key.material {
        KeyMaterial::Secret(secret) => fields! { last_four: format!("…{}", secret.last_four) },
        KeyMaterial::Public(public) => fields! { fingerprint: public.key.fingerprint() },
        KeyMaterial::Set(set) => fields! { url: set.url },
    };
    let mut told = fields! {
        key: key.id.to_string(),
        kind: key.material.kind(),
        algorithm: key.material.algorithm().name(),
    };
    told.extend(shown);
    told.extend(fields! {
        state: state,
        created_at: format!("{:.0}", key.created_at),
    });
    if let KeyMaterial::Public(public) = &key.material
        && let Some(kid) = &public.kid
    {
        told.extend(fields! { kid: kid });
    }
    if let Some(issuer) = key.material.issuer() {
        told.extend(fields! { issuer: issuer });
    }
    if !key.material.audiences().is_empty() {
        told.extend(fields! { audiences: key.material.audiences() });
    }
    if let KeyMaterial::Set(_) = &key.material {
        told.extend(set_fields(set));
    }
    told
}

/// How much it is used (rule K6), as the API says it.
fn usage_fields(usage: Option<&KeyUsage>) -> Fields {
    fields! {
        accepted_today: usage.map_or(0, |usage| usage.accepted_today),
        last_used_at: usage.map(|usage| format!("{:.0}", usage.last_used_at)),
    }
}

fn usage_sentence(usage: Option<&KeyUsage>) -> String {
    match usage {
        None => "never used".to_owned(),
        Some(usage) => {
            let today = counted(usage.accepted_today, "token");
            format!("{today} today, last used at {:.0}", usage.last_used_at)
        }
    }
}

/// How fetching a set goes (rule K4).
fn set_fields(set: Option<&FetchedSet>) -> Fields {
    let fetched = set.and_then(|set| set.last_good.as_ref());
    let failure = set.and_then(|set| set.failure.as_ref());
    let fetched_at = fetched.map(|good| format!("fetched at {:.0}", good.fetched_at));
    let mut told = fields! {
        fetched: fetched_at.unwrap_or_else(|| "never fetched".to_owned()),
    };
    if let Some(failure) = failure {
        let failed = format!("failed at {:.0}: {}", failure.at, failure.reason);
        told.extend(fields! { failure: failed });
    }
    told
}
