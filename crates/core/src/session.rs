//! What the widget holds after its token was accepted.

use jiff::{SignedDuration, Timestamp};

pub use maitred_token::ProofKey;

use crate::{
    assurance::Standing,
    code::ProvenAddress,
    id::{ContactId, KeyId, SessionId, VisitorId},
    identity::Identity,
    scope::{Owner, Scope},
};

/// A site is not asked for tokens more often than this, however short they live.
const SOONEST_RENEWAL: SignedDuration = SignedDuration::from_secs(30);

/// One page load of one visitor (rule S1).
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name in logs and in the record of who posted what.
    pub id: SessionId,
    /// The agent and environment it is bound to.
    pub scope: Scope,
    /// Who is in it, and with what proof.
    pub holder: Holder,
    /// The address that its holder proved by a one-time code in it, if any.
    /// Whether that still counts is asked of [`proven_address`](Self::proven_address).
    pub proven: Option<ProvenAddress>,
    /// Where the page said it was loaded from: a claim by the client.
    pub page_origin: String,
    /// The key that every request with it must be proven with, whatever the policy
    /// says by then (rule S4). None: whoever has the string has the session.
    pub proof_key: Option<ProofKey>,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
}

/// Who holds a session.
#[derive(Clone, Debug)]
pub enum Holder {
    /// Somebody of whom nothing is known but that they came back.
    Anonymous(VisitorId),
    /// Somebody the site vouched for.
    Verified {
        /// Their record.
        contact: ContactId,
        /// What their token proved.
        identity: Box<Identity>,
        /// The key that verified it.
        key: KeyId,
    },
}

impl Session {
    /// Whose conversations it may see.
    pub fn owner(&self) -> Owner {
        match &self.holder {
            Holder::Anonymous(visitor) => Owner::Visitor(*visitor),
            Holder::Verified { contact, .. } => Owner::Contact(*contact),
        }
    }

    /// What is proven of its holder.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.holder {
            Holder::Anonymous(_) => None,
            Holder::Verified { identity, .. } => Some(identity),
        }
    }

    /// Whether an operator tries something as its holder (rule A4).
    pub fn is_test(&self) -> bool {
        self.identity().is_some_and(|identity| identity.is_test)
    }

    /// The address that the site named and does not vouch for: what a code in this
    /// session can prove (rule T5). Not where somebody acts as its holder, who would
    /// have a code sent to them.
    pub fn claimed_email(&self) -> Option<&str> {
        let identity = self.identity().filter(|it| it.actor.is_none())?;
        let email = identity.email.as_ref().filter(|email| !email.verified)?;
        Some(&email.address)
    }

    /// When to ask for the next token, so that its holder notices nothing (rule S2):
    /// with a fifth of the present token's life left, but not at once.
    ///
    /// `grace` is what the session lasts longer than its token. `None` where no
    /// token is behind the session.
    pub fn renew_at(&self, now: Timestamp, grace: SignedDuration) -> Option<Timestamp> {
        self.identity()?;
        let left = self.expires_at.duration_since(now) - grace;
        let wait = (left * 4 / 5).max(SOONEST_RENEWAL);
        now.checked_add(wait).ok()
    }

    /// How sure we are of its holder, now (rule A1). This is the one place that
    /// says so: `fresh` is then asked of it per Action.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match (&self.holder, self.proven_address(now)) {
            (Holder::Verified { identity, .. }, _) => {
                Standing::verified(identity.auth_time, now).acted_in(identity.actor.is_some())
            }
            (Holder::Anonymous(_), Some(_)) => Standing::CODE,
            (Holder::Anonymous(_), None) => Standing::ANONYMOUS,
        }
    }

    /// The address that its holder proved by a one-time code, while that counts
    /// (rule A3).
    pub fn proven_address(&self, now: Timestamp) -> Option<&ProvenAddress> {
        self.proven.as_ref().filter(|proven| proven.until > now)
    }

    /// The address of its holder that somebody vouches for: the site, or a
    /// one-time code in this session (rule T5). Of somebody the site knows it is
    /// the site's address or none, never another that they proved.
    pub fn email(&self, now: Timestamp) -> Option<&str> {
        let proven = self.proven_address(now).map(|proven| &proven.address);
        match &self.holder {
            Holder::Anonymous(_) => proven.map(|address| address.as_str()),
            Holder::Verified { identity, .. } => {
                let email = identity.email.as_ref()?;
                let vouched =
                    email.verified || proven.is_some_and(|proven| proven.is(&email.address));
                vouched.then_some(email.address.as_str())
            }
        }
    }

    /// What `{{user.…}}` stands for in an Action, by its path without the braces.
    /// What is not known is absent, and an absent value fails the call before it
    /// is sent (rule I1).
    pub fn value(&self, path: &str, now: Timestamp) -> Option<String> {
        if path == "user.email" {
            return self.email(now).map(str::to_owned);
        }
        self.identity()?.value(path)
    }
}

/// Why a session is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its time was up.
    Expired,
    /// It was logged out, replaced, or its key was revoked.
    Revoked,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;

    use super::*;
    use crate::{
        assurance::{Assurance, Requires},
        clock::Clock,
        code::EmailAddress,
        id::AgentId,
        identity::Email,
        scope::Environment,
    };

    fn noon() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn session(holder: Holder) -> Session {
        let clock = Clock::manual(noon());
        Session {
            id: SessionId::new(&clock),
            scope: Scope {
                agent: AgentId::new(&clock),
                environment: Environment::Production,
            },
            holder,
            proven: None,
            proof_key: None,
            page_origin: "https://shop.example".to_owned(),
            expires_at: Timestamp::MAX,
        }
    }

    fn anonymous() -> Session {
        session(Holder::Anonymous(VisitorId::new(&Clock::manual(noon()))))
    }

    /// Somebody whose token names this address, or none.
    fn verified(email: Option<Email>) -> Session {
        let clock = Clock::manual(noon());
        session(Holder::Verified {
            contact: ContactId::new(&clock),
            key: KeyId::new(&clock),
            identity: Box::new(Identity {
                subject: "42".to_owned(),
                email,
                name: None,
                given_name: None,
                locale: None,
                zoneinfo: None,
                phone_number: None,
                auth_time: Some(noon()),
                actor: None,
                attributes: BTreeMap::new(),
                is_test: false,
            }),
        })
    }

    /// An address that the site does not vouch for.
    fn claimed(address: &str) -> Option<Email> {
        Some(Email {
            address: address.to_owned(),
            verified: false,
        })
    }

    /// Who proved that address until half past twelve.
    fn having_proven(session: Session, address: &str) -> Session {
        Session {
            proven: Some(ProvenAddress {
                address: EmailAddress::parse(address).unwrap(),
                until: noon() + SignedDuration::from_mins(30),
            }),
            ..session
        }
    }

    #[test]
    fn a1_the_session_alone_says_how_far_its_holder_is_proven() {
        let standing = |session: &Session| session.standing(noon()).assurance();

        assert_eq!(standing(&anonymous()), Assurance::Anonymous);
        assert_eq!(
            standing(&having_proven(anonymous(), "sarah@shop.example")),
            Assurance::Code
        );
        assert_eq!(standing(&verified(None)), Assurance::Verified);
        assert_eq!(
            standing(&having_proven(verified(None), "sarah@shop.example")),
            Assurance::Verified
        );
    }

    #[test]
    fn t10_the_session_says_whether_somebody_acts_as_its_holder() {
        let mut session = verified(None);
        assert!(!session.standing(noon()).has_actor());

        if let Holder::Verified { identity, .. } = &mut session.holder {
            identity.actor = Some("staff-7".to_owned());
        }

        assert!(session.standing(noon()).has_actor());
        assert_eq!(
            session.standing(noon()).assurance(),
            Assurance::Verified,
            "as proven as the token"
        );
    }

    #[test]
    fn a3_what_a_code_proved_counts_for_its_time_and_no_longer() {
        let sarah = having_proven(anonymous(), "sarah@shop.example");
        let minutes = |minutes| noon() + SignedDuration::from_mins(minutes);

        for (now, assurance, email) in [
            (minutes(29), Assurance::Code, Some("sarah@shop.example")),
            (minutes(30), Assurance::Anonymous, None),
        ] {
            assert_eq!(sarah.standing(now).assurance(), assurance);
            assert_eq!(sarah.value("user.email", now).as_deref(), email);
        }
    }

    #[test]
    fn a2_a_code_gives_an_address_and_nothing_else_of_an_identity() {
        let sarah = having_proven(anonymous(), "sarah@shop.example");

        assert_eq!(sarah.value("user.id", noon()), None);
        assert!(sarah.identity().is_none());
        assert!(matches!(sarah.owner(), Owner::Visitor(_)));
        assert!(!sarah.standing(noon()).reaches(Requires::Verified));
    }

    #[test]
    fn t5_an_address_the_site_does_not_vouch_for_is_absent_unless_a_code_proved_it() {
        let address = "sarah@shop.example";
        let email = |session: Session| session.value("user.email", noon());

        assert_eq!(email(verified(claimed(address))), None);
        assert_eq!(
            email(having_proven(
                verified(claimed(address)),
                "tom@shop.example"
            )),
            None
        );
        assert_eq!(
            email(having_proven(verified(claimed(address)), address)).as_deref(),
            Some(address)
        );
    }

    #[test]
    fn t5_a_proven_address_never_takes_the_place_of_the_sites() {
        let vouched = Some(Email {
            address: "sarah@shop.example".to_owned(),
            verified: true,
        });
        let email =
            |session| having_proven(session, "tom@shop.example").value("user.email", noon());

        assert_eq!(
            email(verified(vouched)).as_deref(),
            Some("sarah@shop.example")
        );
        assert_eq!(email(verified(None)), None);
    }
}
