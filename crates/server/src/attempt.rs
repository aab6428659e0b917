//! One attempt to exchange a token, from its arrival to what came of it.
//!
//! Whoever exchanges a token begins an [`Attempt`], says what the token proved,
//! and hands the result through [`ended`](Attempt::ended). So there is one place
//! that knows every outcome, whatever decided it (the token itself, its page, the
//! store), that counts it against the limits, and that writes it into the
//! verification log.
//!
//! Nothing of the token is kept but what may be logged (rule L1): our key, times,
//! a keyed hash of the subject once the signature was good.
//!
//! Not here: judging the token, the reasons behind the limits (`limits`), writing
//! the log (`verifications`).

use maitred_core::{
    scope::{Environment, Scope},
    session::Holder,
};
use maitred_store::{self as store, ACCEPTED, KeyedFor, Opened};
use maitred_token::{Refusal, Refused, Trace, Verified, diagnose};

use crate::{
    app::App, causes::Causes, client::Network, http::ApiError, limits::About, sites::Site,
};

/// The longest origin that is kept.
const MAX_ORIGIN: usize = 255;

/// A token that somebody showed, and what is known of it.
pub(crate) struct Attempt<'a> {
    app: &'a App,
    site: &'a Site,
    from: Network,
    page_origin: &'a str,
    token: &'a str,
    known: Known,
}

/// What the log may keep of a token.
#[derive(Default)]
struct Known {
    trace: Trace,
    subject_hash: Option<String>,
    warnings: Vec<String>,
}

impl<'a> Attempt<'a> {
    /// A token has arrived.
    pub(crate) fn new(
        app: &'a App,
        site: &'a Site,
        from: Network,
        page_origin: &'a str,
        token: &'a str,
    ) -> Self {
        Self {
            app,
            site,
            from,
            page_origin,
            token,
            known: Known::default(),
        }
    }

    /// It is good, by itself. The store may still refuse it.
    pub(crate) fn proved(&mut self, verified: &Verified) {
        let mut warnings: Vec<String> = verified
            .warnings()
            .iter()
            .map(|warning| warning.limit().to_owned())
            .collect();
        warnings.sort_unstable();
        warnings.dedup();
        self.known = Known {
            trace: verified.trace().clone(),
            subject_hash: Some(self.hash(verified.subject())),
            warnings,
        };
    }

    /// It came to this, which is logged, counted and passed on.
    pub(crate) fn ended(self, result: Result<Opened, ApiError>) -> Result<Opened, ApiError> {
        match result {
            Ok(opened) => {
                self.accepted(&opened);
                Ok(opened)
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    /// It was refused: too often, perhaps (rule L3).
    pub(crate) fn refused(mut self, error: ApiError) -> ApiError {
        if let Some(refused) = error.refused_token() {
            log_refusal(self.site.scope, refused);
            self.known = Known {
                trace: (*refused.trace).clone(),
                subject_hash: refused.signed_subject().map(|subject| self.hash(subject)),
                warnings: Vec::new(),
            };
        }
        if error.is_the_senders_fault() {
            let (scope, now) = (self.site.scope, self.app.store.clock.now());
            let limits = &self.app.limits;
            if let Err(too_many) = limits.refused_token(self.from, scope, self.about(), now) {
                let page_origin = self.site_origin().map(|_| self.page_origin.to_owned());
                self.app.verifications.count_limited(scope, page_origin);
                return too_many.into();
            }
        }
        let entry = self.entry(error.code());
        match error.refused_token().filter(|it| is_unexplained(it)) {
            Some(refused) => self.diagnose(entry, refused.clone()),
            None => self.app.verifications.note(entry),
        }
        error
    }

    fn accepted(self, opened: &Opened) {
        let mut entry = self.entry(ACCEPTED);
        if let Holder::Verified { contact, key, .. } = &opened.session.holder {
            entry.contact = Some(*contact);
            entry.key = Some(key.to_string());
        }
        entry.warnings = self.known.warnings;
        self.app.verifications.note(entry);
    }

    fn entry(&self, code: &str) -> store::Attempt {
        let Known {
            trace,
            subject_hash,
            ..
        } = &self.known;
        store::Attempt {
            page_origin: is_like_an_origin(self.page_origin).then(|| self.page_origin.to_owned()),
            key: trace.source.clone(),
            algorithm: trace.algorithm.map(|it| it.name().to_owned()),
            age: trace.age,
            lifetime: trace.lifetime,
            skew: trace.skew,
            subject_hash: subject_hash.clone(),
            ..store::Attempt::new(self.site.scope, self.app.store.clock.now(), code)
        }
    }

    /// Looks whether the other environment's key made the signature, once the
    /// answer is on its way, and logs what was found (rule K7).
    fn diagnose(&self, entry: store::Attempt, refused: Refused) {
        let (app, scope) = (self.app, self.site.scope);
        let now = app.store.clock.now();
        if app.limits.diagnosis(scope.agent, now).is_err() {
            app.verifications.note(entry);
            return;
        }
        let (app, token) = (app.clone(), self.token.to_owned());
        app.tasks.clone().spawn(async move {
            let entry = diagnosed(&app, scope, &token, refused, entry).await;
            app.verifications.note(entry);
        });
    }

    /// Whose refusals this one counts with.
    fn about(&self) -> About {
        match &self.known.subject_hash {
            Some(hash) => About::Subject(hash.clone()),
            None => About::Origin(self.site_origin()),
        }
    }

    /// Which of the site's origins its page has.
    fn site_origin(&self) -> Option<usize> {
        let mut origins = self.site.settings.origins.iter();
        origins.position(|origin| origin.admits(self.page_origin))
    }

    fn hash(&self, subject: &str) -> String {
        let of = KeyedFor::Subject(self.site.scope);
        self.app.store.keyed_hash(of, subject.as_bytes())
    }
}

fn is_unexplained(refused: &Refused) -> bool {
    matches!(
        refused.refusal,
        Refusal::UnknownKey(_) | Refusal::BadSignature
    )
}

async fn diagnosed(
    app: &App,
    scope: Scope,
    token: &str,
    refused: Refused,
    entry: store::Attempt,
) -> store::Attempt {
    let mut others = Vec::new();
    for environment in Environment::ALL {
        let other = Scope {
            environment,
            ..scope
        };
        if other == scope {
            continue;
        }
        match app.sites.site(&app.store, other).await {
            Ok(site) => others.extend(site.map(|site| (environment.as_str(), site))),
            Err(error) => tracing::warn!(error = %Causes(&error), "keys could not be read"),
        }
    }
    let others: Vec<_> = others
        .iter()
        .map(|(name, site)| (*name, &site.verifier))
        .collect();
    let refusal = diagnose(refused, token, &others).refusal;
    let Refusal::WrongEnvironment { key, .. } = &refusal else {
        return entry;
    };
    tracing::info!(
        agent.id = %scope.agent,
        environment = %scope.environment,
        reason = %refusal,
        "a token was refused because of where it was shown"
    );
    store::Attempt {
        code: refusal.code().to_owned(),
        key: Some(key.clone()),
        ..entry
    }
}

/// The reason is for the program's log, whatever the client is told; nothing of the
/// token is.
fn log_refusal(scope: Scope, refused: &Refused) {
    tracing::info!(
        agent.id = %scope.agent,
        environment = %scope.environment,
        code = refused.refusal.code(),
        reason = %refused.refusal,
        key.id = refused.trace.source.as_deref(),
        "a token was refused"
    );
}

/// Whether a text is like an origin as browsers write them: what else a client
/// sends as one could be anything, and is not kept.
fn is_like_an_origin(text: &str) -> bool {
    let is_host = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-:[]".contains(&c);
    let is_scheme = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+.-".contains(&c);
    let parts = text.split_once("://");
    text == "null"
        || text.len() <= MAX_ORIGIN
            && parts.is_some_and(|(scheme, host)| {
                !scheme.is_empty()
                    && !host.is_empty()
                    && scheme.bytes().all(is_scheme)
                    && host.bytes().all(is_host)
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_what_is_no_origin_is_not_kept() {
        for origin in [
            "https://shop.example",
            "http://localhost:7071",
            "http://[::1]:80",
            "capacitor://localhost",
            "null",
        ] {
            assert!(is_like_an_origin(origin), "{origin}");
        }
        for other in [
            "",
            "https://",
            "://shop.example",
            "https://shop.example/?token=x",
            "https://sarah@shop.example",
            "https://eyJhbGciOiJIUzI1NiJ9.e30.x",
            "eyj.e30.x",
            "https://shop\0.example",
            &format!("https://{}", "a".repeat(300)),
        ] {
            assert!(!is_like_an_origin(other), "{other}");
        }
    }
}
