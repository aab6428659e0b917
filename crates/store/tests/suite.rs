//! The storage suite: on SQLite, or on the PostgreSQL that
//! `MAITRED_TEST_DATABASE_URL` names (`scripts/with-postgres` starts one).
//!
//! Every public function of the store has its tests here, since a mistake in a
//! statement is found by running it and by nothing else.

#[cfg(test)]
mod suite {
    mod support;

    mod actions;
    mod agents;
    mod api_keys;
    mod audit;
    mod away;
    mod backup;
    mod codes;
    mod contacts;
    mod conversations;
    mod entries;
    mod events;
    mod fetched_sets;
    mod forget;
    mod installation;
    mod isolation;
    mod keys;
    mod knowledge;
    mod marks;
    mod memory;
    mod merge;
    mod new_keys;
    mod nodes;
    mod notices;
    mod one_time;
    mod person;
    mod possession;
    mod rotate;
    mod search;
    mod secrecy;
    mod sessions;
    mod status;
    mod test_identities;
    mod undo;
    mod verifications;
}
