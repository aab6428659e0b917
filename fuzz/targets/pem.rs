//! A PEM text that is accepted is printed and read as the same key, whether the
//! text is made up or only the DER in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maitred_fuzz::hold_of_key;
use maitred_token::PublicKey;

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let text = match choice % 3 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => armoured("PUBLIC KEY", rest),
        _ => armoured("CERTIFICATE", rest),
    };
    if let Ok(key) = PublicKey::parse(&text) {
        hold_of_key(&key);
    }
});

fn armoured(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut body = String::new();
    for chunk in der.chunks(3) {
        let bits = chunk
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) as usize & 0x3f;
            let padding = place > chunk.len();
            body.push(if padding {
                '='
            } else {
                char::from(ALPHABET[sextet])
            });
        }
    }
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
