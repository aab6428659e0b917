//! Any text is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maitred_fuzz::verdict;

fuzz_target!(|token: &str| {
    assert!(verdict(token).is_err());
});
