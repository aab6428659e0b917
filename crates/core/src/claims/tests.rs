use serde_json::json;

use super::*;
use crate::identity::Email;

fn sarah() -> Identity {
    Identity {
        subject: "42".to_owned(),
        email: Some(Email {
            address: "sarah@example.com".to_owned(),
            verified: true,
        }),
        name: Some("Sarah Example".to_owned()),
        given_name: Some("Sarah".to_owned()),
        locale: Some("en".to_owned()),
        zoneinfo: Some("Europe/Berlin".to_owned()),
        phone_number: Some("+49 30 1".to_owned()),
        auth_time: None,
        actor: Some("staff-7".to_owned()),
        attributes: BTreeMap::from([
            ("plan".to_owned(), json!("gold")),
            ("seats".to_owned(), json!(5)),
        ]),
        is_test: false,
    }
}

/// Which claims a list of names and values tells.
fn names(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(name, _)| name.as_str()).collect()
}

/// The policy with these set, like `plan=agent`.
fn policy(set: &[&str]) -> ClaimPolicy {
    let mut policy = ClaimPolicy::default();
    for text in set {
        let (claim, for_whom) = parse_claim_for(text).unwrap();
        policy.set(claim, for_whom).unwrap();
    }
    policy
}

#[test]
fn by_default_a_model_sees_names_address_language_and_zone_and_nothing_else() {
    let told = ClaimPolicy::default().told(&sarah());

    assert_eq!(
        names(&told),
        ["email", "name", "given_name", "locale", "zoneinfo"]
    );
}

#[test]
fn a_claim_that_is_opened_to_the_agent_is_told_to_it() {
    let policy = policy(&["plan=agent", "sub=agent", "name=actions", "locale=none"]);

    let told = policy.told(&sarah());

    assert_eq!(
        names(&told),
        ["sub", "email", "given_name", "zoneinfo", "plan"]
    );
    assert!(told.contains(&("plan".to_owned(), "gold".to_owned())));
}

#[test]
fn a_claim_for_actions_is_kept_and_one_for_nobody_is_dropped() {
    let policy = policy(&["phone_number=none", "seats=none", "email=actions"]);

    let admitted = policy.admitted(sarah());

    assert_eq!(admitted.value("user.phone_number"), None);
    assert_eq!(admitted.value("user.attributes.seats"), None);
    assert_eq!(
        admitted.value("user.attributes.plan").as_deref(),
        Some("gold")
    );
    assert_eq!(
        admitted.value("user.email").as_deref(),
        Some("sarah@example.com")
    );
    assert_eq!(admitted.actor.as_deref(), Some("staff-7"));
    assert!(!names(&policy.told(&admitted)).contains(&"email"));
}

#[test]
fn t11_what_a_model_is_told_is_cleaned_and_cut() {
    let mut identity = sarah();
    identity.name = Some(format!("a\u{202e}\u{200b}\u{e0041}\nb{}", "x".repeat(200)));

    let told = ClaimPolicy::default().told(&identity);

    let (_, name) = told.iter().find(|(name, _)| name == "name").unwrap();
    assert_eq!(*name, format!("ab{}", "x".repeat(126)));
}

#[test]
fn what_is_kept_with_the_contact_is_a_switch_of_its_own() {
    let mut policy = policy(&["seats=none", "email=none"]);
    assert!(policy.is_kept("name") && !policy.is_kept("email") && !policy.is_kept("plan"));

    for text in ["plan=on", "seats=on", "name=off"] {
        let (claim, kept) = parse_claim_kept(text).unwrap();
        policy.keep(claim, kept).unwrap();
    }

    assert!(!policy.is_kept("name"));
    assert!(!policy.is_kept("seats"), "what is dropped cannot be kept");
    let record = policy.record(&policy.admitted(sarah()));
    assert_eq!((record.name, record.email), (None, None));
    assert_eq!(Value::Object(record.claims), json!({ "plan": "gold" }));
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_in_words() {
    let said = |text: &str| parse_claim_for(text).unwrap_err().to_string();

    assert_eq!(
        said("plan"),
        "write the claim, `=`, and what is to become of it, like `plan=agent`"
    );
    assert_eq!(
        said("plan=everybody"),
        "`everybody` is not one of `agent`, `actions`, `none`"
    );
    for claim in [
        "exp",
        "scope",
        "act",
        "auth_time",
        "picture",
        "",
        "a\u{200b}b",
    ] {
        assert!(said(&format!("{claim}=agent")).starts_with("nothing is kept of"));
    }
    let (sub, nobody) = parse_claim_for("sub=none").unwrap();
    assert_eq!(
        ClaimPolicy::default().set(sub, nobody),
        Err(ClaimPolicyError::Subject)
    );
    let (sub, off) = parse_claim_kept("sub=off").unwrap();
    assert_eq!(
        ClaimPolicy::default().keep(sub, off),
        Err(ClaimPolicyError::Subject)
    );
    assert_eq!(
        parse_claim_kept("plan=yes").unwrap_err().to_string(),
        "`yes` is not `on` or `off`"
    );
}
