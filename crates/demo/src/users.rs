//! The three people who can log in.
//!
//! Their passwords are public knowledge, so whoever serves this shop keeps it
//! on loopback.

/// Somebody who can log in to the sample shop.
pub struct TestUser {
    /// The customer number, which becomes `sub` in chat tokens.
    pub id: &'static str,
    /// The whole name, where the shop knows one.
    pub name: Option<&'static str>,
    /// The first name, where the shop knows one.
    pub given_name: Option<&'static str>,
    /// The address to log in with.
    pub email: &'static str,
    /// The password, which is no secret.
    pub password: &'static str,
    /// `club` or `standard`.
    pub plan: &'static str,
    /// The day of the first order, as an ISO date.
    pub customer_since: &'static str,
}

static USERS: [TestUser; 3] = [
    TestUser {
        id: "cus_7301",
        name: Some("Sarah Miller"),
        given_name: Some("Sarah"),
        email: "sarah.miller@example.com",
        password: "sarah-demo",
        plan: "club",
        customer_since: "2024-05-17",
    },
    TestUser {
        id: "cus_7302",
        name: Some("Tom Okafor"),
        given_name: Some("Tom"),
        email: "tom.okafor@example.com",
        password: "tom-demo",
        plan: "standard",
        customer_since: "2025-09-02",
    },
    TestUser {
        id: "cus_7303",
        name: None,
        given_name: None,
        email: "k.lindqvist@example.com",
        password: "kim-demo",
        plan: "standard",
        customer_since: "2026-02-11",
    },
];

/// Everybody who can log in: Sarah, a second customer, and one without a name.
pub fn users() -> &'static [TestUser] {
    &USERS
}

/// The user with this customer number.
pub(crate) fn by_id(id: &str) -> Option<&'static TestUser> {
    USERS.iter().find(|user| user.id == id)
}

/// The user whom this email and password let in. Case does not matter in the email.
pub(crate) fn by_login(email: &str, password: &str) -> Option<&'static TestUser> {
    USERS
        .iter()
        .find(|user| user.email.eq_ignore_ascii_case(email.trim()) && user.password == password)
}

impl TestUser {
    /// What the page calls this user: the first name, else the email.
    pub(crate) fn shown_name(&self) -> &'static str {
        self.given_name.unwrap_or(self.email)
    }
}
