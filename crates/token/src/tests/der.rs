//! K3: the DER inside of PEM is read strictly.

use super::pairs::{RSA, pem};
use super::public_keys::{EC_CERTIFICATE, EC_PUBLIC, ED_PUBLIC, RSA_PUBLIC, der, unusable};
use super::*;

#[test]
fn k3_der_that_is_cut_longer_or_not_in_its_shortest_form_is_refused() {
    for text in [RSA_PUBLIC, EC_PUBLIC, ED_PUBLIC, EC_CERTIFICATE] {
        let label = if text == EC_CERTIFICATE {
            "CERTIFICATE"
        } else {
            "PUBLIC KEY"
        };
        let good = der(text);
        assert!(PublicKey::parse(&pem(label, &good)).is_ok());
        for cut in 0..good.len() {
            assert!(
                PublicKey::parse(&pem(label, &good[..cut])).is_err(),
                "{cut}"
            );
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(unusable(pem(label, &longer)), UnusableKey::BadPem);
    }
    let good = der(EC_PUBLIC);
    let wide = [&[0x30, 0x81, good[1]], &good[2..]].concat();
    assert_eq!(unusable(pem("PUBLIC KEY", &wide)), UnusableKey::BadPem);
    let endless = [&[0x30, 0x80], &good[2..], &[0, 0]].concat();
    assert_eq!(unusable(pem("PUBLIC KEY", &endless)), UnusableKey::BadPem);
}

/// One element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = match content.len() {
        0..=0x7f => vec![low],
        0x80..=0xff => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], &length[..], content].concat()
}

fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(0x30, &elements.concat())
}

#[test]
fn k3_der_with_anything_too_much_or_too_little_inside_is_refused() {
    let bits = |content: &[u8]| element(3, &[&[0], content].concat());
    let info = |algorithm: &[&[u8]], key: &[u8]| {
        pem("PUBLIC KEY", &sequence(&[&sequence(algorithm), key]))
    };
    let null = element(5, &[]);

    let rsa = element(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]);
    let modulus = decode_base64url(RSA.jwk()["n"].as_str().unwrap()).unwrap();
    let n = element(2, &[&[0], &modulus[..]].concat());
    let e = element(2, &[1, 0, 1]);
    let key = bits(&sequence(&[&n, &e]));
    let rsa_key =
        |n: &[u8], e: &[u8], more: &[u8]| info(&[&rsa, &null], &bits(&sequence(&[n, e, more])));
    assert_eq!(
        PublicKey::parse(&info(&[&rsa, &null], &key)).unwrap(),
        RSA.public()
    );
    for text in [
        info(&[&rsa], &key),
        info(&[&rsa, &null, &null], &key),
        info(&[&null], &key),
        info(&[&rsa, &null], &[&key[..], &null].concat()),
        info(
            &[&rsa, &null],
            &element(3, &[&[1], &sequence(&[&n, &e])[..]].concat()),
        ),
        info(
            &[&rsa, &null],
            &bits(&[&sequence(&[&n, &e])[..], &null].concat()),
        ),
        rsa_key(&n, &e, &null),
        rsa_key(&n, &element(2, &[0, 1, 0, 1]), &[]),
        rsa_key(&element(2, &modulus), &e, &[]),
        rsa_key(&n, &element(2, &[]), &[]),
        rsa_key(&n, &element(2, &[0]), &[]),
        // A length with a zero before it.
        pem(
            "PUBLIC KEY",
            &[&[0x30, 0x83, 0], &der(RSA_PUBLIC)[2..]].concat(),
        ),
    ] {
        assert_eq!(unusable(&text), UnusableKey::BadPem, "{text}");
    }

    let ec = element(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]);
    let p256 = element(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    let point = bits(&der(EC_PUBLIC)[26..]);
    assert!(PublicKey::parse(&info(&[&ec, &p256], &point)).is_ok());
    assert_eq!(
        unusable(info(&[&ec, &p256, &null], &point)),
        UnusableKey::BadPem
    );
    assert_eq!(unusable(info(&[&ec], &point)), UnusableKey::UnknownCurve);
    assert_eq!(
        unusable(info(&[&ec, &sequence(&[])], &point)),
        UnusableKey::UnknownCurve
    );

    let ed25519 = element(6, &[0x2b, 0x65, 0x70]);
    let key = bits(&der(ED_PUBLIC)[12..]);
    assert!(PublicKey::parse(&info(&[&ed25519], &key)).is_ok());
    assert_eq!(
        unusable(info(&[&ed25519, &null], &key)),
        UnusableKey::BadPem
    );
    assert_eq!(
        unusable(info(&[&ed25519], &bits(&[9; 31]))),
        UnusableKey::BadPem
    );
}

#[test]
fn k3_a_certificate_of_version_1_is_read_and_one_without_its_parts_is_not() {
    let key = der(EC_PUBLIC);
    let serial = element(2, &[1]);
    let (name, signature) = (sequence(&[]), element(3, &[0, 1]));
    let of = |signed: &[&[u8]], more: &[&[u8]]| {
        let signed = sequence(signed);
        let parts = [&[&signed[..]], more].concat();
        pem("CERTIFICATE", &sequence(&parts))
    };
    let signed: [&[u8]; 6] = [&serial, &name, &name, &name, &name, &key];

    let good = of(&signed, &[&name, &signature]);
    assert_eq!(
        PublicKey::parse(&good).unwrap(),
        PublicKey::parse(EC_PUBLIC).unwrap()
    );
    for text in [
        of(&signed, &[&name]),
        of(&signed, &[&signature]),
        of(&signed, &[&name, &signature, &name]),
        of(&signed[1..], &[&name, &signature]),
        of(&signed[..5], &[&name, &signature]),
    ] {
        assert_eq!(unusable(&text), UnusableKey::BadPem, "{text}");
    }
}
