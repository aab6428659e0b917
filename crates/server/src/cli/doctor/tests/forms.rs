//! How tags, policies and secrets may be written.

use maitred_token::{Algorithm, Secret, SecretKind};
use reqwest::Url;

use super::super::{markup::Markup, policy::Policy, secrets::leaks};

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn a_tag_is_found_however_it_is_written() {
    for html in [
        r#"<script src="/w.js" data-agent="a"></script>"#,
        r#"<script data-agent='a' async src='/w.js'></script>"#,
        "<SCRIPT SRC=/w.js DATA-AGENT=a></SCRIPT>",
        "<script\n  src = '/w.js'\n  data-agent\n=\na\n></script >",
        r#"<body onload="1>0"><script src="&#47;w.js" data-agent=a></script>"#,
        r#"<script>"<!--"</script><script src=/w.js data-agent=a></script>"#,
    ] {
        let markup = Markup::read(html);

        let script = markup.scripts.last().unwrap();
        assert_eq!(script.src(), Some("/w.js"), "{html}");
        assert_eq!(script.attribute("data-agent"), Some("a"), "{html}");
    }
}

#[test]
fn what_a_browser_takes_for_text_is_no_tag() {
    for html in [
        "<!-- <script src=/w.js></script> -->",
        "<textarea><script src=/w.js></script></textarea>",
        "<title><script src=/w.js></script></title>",
        "<template><script src=/w.js></script></template>",
        "&lt;script src=/w.js>&lt;/script>",
        r#"<p title="<script src=/w.js></script>">"#,
    ] {
        assert!(Markup::read(html).scripts.is_empty(), "{html}");
    }
}

#[test]
fn policies_and_the_base_are_read_from_the_page() {
    let html = "<base href=/a/><base href=/b/>\
        <meta http-equiv=Content-Security-Policy content=\"frame-src 'none'\">\
        <meta name=description content=x>";

    let markup = Markup::read(html);

    assert_eq!(markup.base.as_deref(), Some("/a/"));
    assert_eq!(markup.policies, ["frame-src 'none'"]);
}

#[test]
fn a_policy_is_understood_as_browsers_do() {
    let page = url("https://shop.example/help");
    let script = url("https://support.example/widget.js");
    for (policy, runs) in [
        ("", true),
        ("img-src 'none'", true),
        ("default-src 'none'", false),
        (
            "default-src 'none'; script-src https://support.example",
            true,
        ),
        (
            "default-src https://support.example; script-src 'self'",
            false,
        ),
        ("script-src-elem 'none'; script-src *", false),
        ("script-src 'self'; script-src *", false),
        ("script-src support.example", true),
        ("script-src *.example", true),
        ("script-src *.support.example", false),
        ("script-src http://support.example", true),
        ("script-src https://support.example:8443", false),
        ("script-src https://support.example:*", true),
        ("script-src https:", true),
        ("script-src http:", true),
        ("script-src wss:", false),
        ("script-src *", true),
        ("script-src https://support.example/widget.js", true),
        ("script-src https://support.example/other.js", false),
        ("script-src https://support.example/js/", false),
        ("SCRIPT-SRC HTTPS://SUPPORT.EXAMPLE", true),
        ("script-src 'nonce-n1'", true),
        ("script-src 'nonce-n2'", false),
        ("script-src 'strict-dynamic' https://support.example", false),
        ("script-src 'strict-dynamic' 'nonce-n1'", true),
        ("script-src 'unsafe-inline'", false),
    ] {
        let read = Policy::read(policy);
        assert_eq!(read.runs(&script, Some("n1"), &page), runs, "{policy}");
    }
    let own = url("https://shop.example/widget.js");
    assert!(Policy::read("script-src 'self'").runs(&own, None, &page));
}

#[test]
fn a_frame_falls_back_to_child_and_default() {
    let page = url("https://shop.example/");
    let server = url("https://support.example/widget.js");
    for (policy, frames) in [
        ("default-src 'self'", false),
        (
            "default-src 'self'; child-src https://support.example",
            true,
        ),
        ("child-src *; frame-src 'none'", false),
        ("script-src 'none'", true),
    ] {
        assert_eq!(
            Policy::read(policy).frames(&server, &page),
            frames,
            "{policy}"
        );
    }
}

#[test]
fn an_inline_script_runs_by_nonce_by_hash_or_where_all_do() {
    let markup = Markup::read("<script nonce=n1>maitred('open')</script>");
    let script = &markup.scripts[0];
    for (policy, runs) in [
        ("default-src 'self'", false),
        ("script-src 'unsafe-inline'", true),
        ("script-src 'unsafe-inline' 'nonce-n2'", false),
        ("script-src 'nonce-n1'", true),
        (
            "script-src 'sha256-BUORcYlWq+/AQSVBspnsjDuvpiUBBY4v5PuIT1DmnqE='",
            false,
        ),
        ("style-src 'none'", true),
    ] {
        assert_eq!(Policy::read(policy).runs_inline(script), runs, "{policy}");
    }
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA384, b"maitred('open')");
    let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    assert!(Policy::read(&format!("script-src 'sha384-{hash}'")).runs_inline(script));
}

#[test]
fn k1_a_signing_secret_is_known_by_its_checksum() {
    for (kind, algorithm) in [
        (SecretKind::Live, Algorithm::Hs256),
        (SecretKind::Test, Algorithm::Hs256),
        (SecretKind::Live, Algorithm::Hs512),
    ] {
        let secret = Secret::generate_for(kind, algorithm).unwrap();
        let text = secret.expose();
        for shown in [
            text.to_owned(),
            format!("a=\"{text}\";"),
            format!("\n{text}\\n"),
        ] {
            assert_eq!(leaks(&shown).len(), 1, "{shown}");
        }
        // Something longer may have it at its beginning.
        assert_eq!(leaks(&format!("{text}_old")).len(), 1);

        let other = if text.ends_with('A') { "B" } else { "A" };
        let mistyped = format!("{}{other}", &text[..text.len() - 1]);
        assert!(leaks(&mistyped).is_empty());
        assert!(leaks(&text[..text.len() - 1]).is_empty());
    }
}

#[test]
fn k1_what_opens_a_session_or_the_api_is_known_by_its_length() {
    for prefix in ["mtd_api_", "mtd_session_", "mtd_visitor_"] {
        let long = format!("{prefix}{}", "x".repeat(43));
        assert_eq!(leaks(&long).len(), 1, "{long}");
        assert!(leaks(&long[..long.len() - 1]).is_empty());
    }
    for harmless in [
        "mtd_live_…",
        "mtd_",
        "mtd_other_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ] {
        assert!(leaks(harmless).is_empty(), "{harmless}");
    }
}
