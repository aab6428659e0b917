//! The snippets that integrators copy (`sdk/snippets`): each is run as it is, and
//! makes a token that is accepted.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use maitred_token::{Algorithm, Key, KeySet, Policy, Verified, Verifier};
use serde_json::{Value, json};

use crate::keys::SECRET;
use crate::libraries::now;
use crate::peer::HERE;

const KEY: &str = "key_0197f6";
const AUDIENCE: &str = "agt_0197f6/staging";

fn snippet(name: &str) -> PathBuf {
    Path::new(HERE).join("../sdk/snippets").join(name)
}

/// Runs a program with the three settings of a backend.
fn run(command: &mut Command) -> String {
    let output = command
        .env("MAITRED_KEY", KEY)
        .env("MAITRED_SECRET", SECRET.as_str())
        .env("MAITRED_AUDIENCE", AUDIENCE)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// As strict as an agent can be.
fn verified(token: &str) -> Verified {
    let key = Key::shared_secret(KEY, SECRET.as_bytes(), Algorithm::Hs256).unwrap();
    let policy = Policy {
        audience_required: true,
        ..Policy::new(AUDIENCE)
    };
    Verifier::new(KeySet::new(vec![key]), policy)
        .verify(token, now())
        .unwrap()
}

fn assert_is_sarah(verified: &Verified) {
    assert_eq!(verified.subject(), "42");
    assert_eq!(verified.email(), Some("sarah@shop.example"));
    assert_eq!(verified.name(), Some("Sarah Miller"));
    assert_eq!(verified.trace().lifetime, Some(600));
    assert_eq!(verified.warnings(), []);
}

/// The answer to somebody who is logged in, and the one to somebody who is not.
fn assert_answers(answers: &Value) {
    let somebody = &answers["somebody"];
    assert_eq!(somebody["status"], 200);
    assert_is_sarah(&verified(somebody["body"].as_str().unwrap()));
    assert_eq!(answers["nobody"]["status"], 204);
    assert_eq!(answers["nobody"]["body"], "");
    for answer in [somebody, &answers["nobody"]] {
        let expected = json!({
            "Cache-Control": "private, no-store", "Content-Type": "text/plain",
        });
        assert_eq!(answer["headers"], expected);
    }
}

#[test]
fn t16_the_node_snippets_tokens_are_accepted_and_never_cached() {
    const USE: &str = r#"
        import { answerChatToken } from "./node.mjs";
        const answer = (user) => {
          const said = {};
          const response = {
            writeHead: (status, headers) => (Object.assign(said, { status, headers }), response),
            end: (body = "") => Object.assign(said, { body }),
          };
          answerChatToken(user, response);
          return said;
        };
        const sarah = { id: 42, email: "sarah@shop.example", name: "Sarah Miller" };
        console.log(JSON.stringify({ somebody: answer(sarah), nobody: answer(null) }));
    "#;
    // A module finds its packages beside it or above.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    symlink(
        Path::new(HERE).join("node_modules"),
        folder.path().join("node_modules"),
    )
    .unwrap();
    fs::copy(snippet("node.mjs"), folder.path().join("node.mjs")).unwrap();
    fs::write(folder.path().join("use.mjs"), USE).unwrap();

    let said = run(Command::new("node").arg(folder.path().join("use.mjs")));

    assert_answers(&serde_json::from_str(&said).unwrap());
}

#[test]
fn t16_the_python_snippets_tokens_are_accepted_and_never_cached() {
    const USE: &str = r#"
import json, sys, types
sys.path.insert(0, sys.argv[1])
import python as snippet

def answer(user):
    body, status, headers = snippet.answer_chat_token(user)
    return {"status": status, "headers": headers, "body": body}

sarah = types.SimpleNamespace(id=42, email="sarah@shop.example", name="Sarah Miller")
print(json.dumps({"somebody": answer(sarah), "nobody": answer(None)}))
"#;
    let folder = snippet("");

    let said = run(Command::new("/usr/bin/python3")
        .args(["-B", "-c", USE])
        .arg(folder));

    assert_answers(&serde_json::from_str(&said).unwrap());
}

#[test]
fn the_shell_snippets_token_is_accepted() {
    let user = ["42", "sarah@shop.example", "Sarah Miller"];

    let said = run(Command::new("sh").arg(snippet("shell.sh")).args(user));

    assert_is_sarah(&verified(said.trim_end()));
}
