//! One attempt to exchange a token, from its arrival to what came of it.
//!
//! Whoever exchanges a token begins an [`Attempt`], says what the token proved,
//! and hands the result through [`ended`](Attempt::ended). So
//! there is one place that knows every outcome, whatever decided it: the token
//! itself, its page, or the store.
//!
//! Not here: judging the token (`prove`), the reasons behind the limits (`limits`).

use maitred_store::{KeyedFor, Opened};
use maitred_token::Verified;

use crate::{app::App, client::Network, http::ApiError, limits::About, sites::Site};

/// A token that somebody showed, and what is known of it.
pub(crate) struct Attempt<'a> {
    app: &'a App,
    site: &'a Site,
    from: Network,
    page_origin: &'a str,
    subject_hash: Option<String>,
}

impl<'a> Attempt<'a> {
    /// A token has arrived.
    pub(crate) fn new(app: &'a App, site: &'a Site, from: Network, page_origin: &'a str) -> Self {
        Self {
            app,
            site,
            from,
            page_origin,
            subject_hash: None,
        }
    }

    /// It is good, by itself. The store may still refuse it.
    pub(crate) fn proved(&mut self, verified: &Verified) {
        self.subject_hash = Some(self.hash(verified.subject()));
    }

    /// It came to this.
    pub(crate) fn ended(self, result: Result<Opened, ApiError>) -> Result<Opened, ApiError> {
        result.map_err(|error| self.refused(error))
    }

    /// It was refused: too often, perhaps (rule L3).
    pub(crate) fn refused(mut self, error: ApiError) -> ApiError {
        if let ApiError::RefusedToken(refused, _) = &error {
            self.subject_hash = refused.signed_subject().map(|subject| self.hash(subject));
        }
        if !is_the_tokens_fault(&error) {
            return error;
        }
        let (scope, now) = (self.site.scope, self.app.store.clock.now());
        self.app
            .limits
            .refused_token(self.from, scope, self.about(), now)
            .err()
            .map_or(error, ApiError::from)
    }

    /// Whose refusals this one counts with.
    fn about(&self) -> About {
        match &self.subject_hash {
            Some(hash) => About::Subject(hash.clone()),
            None => {
                let mut origins = self.site.settings.origins.iter();
                About::Origin(origins.position(|origin| origin.admits(self.page_origin)))
            }
        }
    }

    fn hash(&self, subject: &str) -> String {
        let of = KeyedFor::Subject(self.site.scope);
        self.app.store.keyed_hash(of, subject.as_bytes())
    }
}

/// Whether an error says that the token is no good here. What is our own fault,
/// or no fault at all, counts for nobody.
fn is_the_tokens_fault(error: &ApiError) -> bool {
    matches!(
        error,
        ApiError::RefusedToken(..)
            | ApiError::KeyRevoked
            | ApiError::TokenRevoked
            | ApiError::TokenReplayed
            | ApiError::OriginNotAllowed(_)
    )
}
