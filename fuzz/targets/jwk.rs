//! A JWK that is accepted is printed and read as the same key, and no set that is
//! accepted has a private member.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maitred_fuzz::{TERMS, hold_of_key};
use maitred_token::{KeySet, PublicKey};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(key) = PublicKey::parse(text)
    {
        hold_of_key(&key);
    }
    let set = [br#"{"keys":["#, data, b"]}"].concat();
    for text in [data, &set] {
        let Ok(found) = KeySet::from_jwks(text, &TERMS) else {
            continue;
        };
        let json: serde_json::Value = serde_json::from_slice(text).expect("strict JSON");
        let keys = json["keys"].as_array().expect("a list");
        assert_eq!(keys.len(), found.keys.len() + found.skipped.len());
        assert!(
            keys.iter()
                .all(|key| key.get("d").is_none() && key.get("k").is_none())
        );
    }
});
