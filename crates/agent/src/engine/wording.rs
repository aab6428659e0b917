//! Words a result through the template of its Action, and what would make an
//! Action possible.
//!
//! Templates are the operator's, results are anybody's: values are escaped for
//! Markdown, and a template that runs for ever is stopped by its fuel.

use maitred_core::{action::Arguments, assurance::Lack};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, context,
    value::{Serde, ValueKind},
};
use serde_json::Value;

use super::Question;
use crate::Codes;

/// Steps a template may take: a list of a few hundred things, and no more.
const FUEL: u64 = 20_000;

/// Whether a template can be compiled.
pub(crate) fn check(template: &str) -> Result<(), Error> {
    // A template may well fail without a result; only whether it can be read is asked.
    let unreadable = |error: &Error| {
        matches!(
            error.kind(),
            ErrorKind::SyntaxError | ErrorKind::UnknownFilter
        )
    };
    let mut environment = environment();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    match environment.render_str(template, context! {}) {
        Err(error) if unreadable(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The result in words. `None` if the template cannot word it.
pub(crate) fn word(template: &str, result: &Value, arguments: &Arguments) -> Option<String> {
    let values = context! {
        result => minijinja::Value::from(Serde(result)),
        arguments => minijinja::Value::from(Serde(arguments)),
    };
    environment()
        .render_str(template, values)
        .inspect_err(|error| tracing::warn!(%error, "a result template failed"))
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("markdown".into()));
    environment.set_formatter(write_escaped);
    environment
}

fn write_escaped(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &minijinja::Value,
) -> Result<(), Error> {
    let is_harmless =
        value.is_safe() || matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if is_harmless || *state.auto_escape() == AutoEscape::None {
        return Ok(write!(out, "{value}")?);
    }
    Ok(out.write_str(&escape(&value.to_string()))?)
}

/// Escapes what Markdown would read as more than text; line breaks become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '!' | '|' | '~' | '&' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Says what would make possible what is asked for (rule I3).
///
/// The widget makes a button of the link `#confirm-email`, which opens its form.
pub(crate) fn ask_for_proof(lack: Lack, question: &Question) -> String {
    let sign_in = match &question.sign_in_url {
        Some(url) => format!("[sign in]({url})"),
        None => "sign in".to_owned(),
    };
    match lack {
        Lack::Address if question.codes == Codes::Sent => format!(
            "I can look that up for you once I know that your email address is yours. Please [confirm it](#confirm-email) with a code that I send there, or {sign_in}, and ask me again."
        ),
        Lack::Address | Lack::SignIn => format!(
            "I can look that up for you once I know who you are. Please {sign_in}, and ask me again: I will see your account then."
        ),
        Lack::RecentSignIn => format!(
            "For that I need to be sure that it is still you. Please {sign_in} again, and then ask me once more."
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn worded(template: &str, result: Value) -> Option<String> {
        word(template, &result, &Arguments::new())
    }

    #[test]
    fn a_result_is_worded() {
        let text = worded(
            "Order **{{ result.number }}** has {{ result.n }} items.",
            json!({ "number": "A-10001", "n": 2 }),
        );

        assert_eq!(text.as_deref(), Some("Order **A-10001** has 2 items."));
    }

    #[test]
    fn w13_what_a_server_sent_is_escaped_for_markdown() {
        let text = worded(
            "Note: {{ result.note }}",
            json!({ "note": "[click](https://evil.example) **now**\n# x" }),
        );

        assert_eq!(
            text.as_deref(),
            Some("Note: \\[click\\](https://evil.example) \\*\\*now\\*\\* \\# x")
        );
    }

    #[test]
    fn w13_a_list_or_a_map_that_a_server_sent_is_escaped_too() {
        for template in ["{{ result.notes }}", "{{ result }}", "{{ [result.notes] }}"] {
            let text = worded(template, json!({ "notes": ["[a](https://evil.example)"] })).unwrap();

            assert!(text.contains("\\[a\\](https"), "{text}");
            assert!(!text.starts_with('['), "{text}");
        }
        assert_eq!(
            worded(
                "{{ result.yes }} {{ result.n }}",
                json!({ "yes": true, "n": -1.5 })
            )
            .as_deref(),
            Some("True -1.5")
        );
    }

    #[test]
    fn a_template_that_never_ends_is_stopped() {
        assert_eq!(
            worded("{% for a in range(99999) %}{{ a }}{% endfor %}", json!({})),
            None
        );
    }

    #[test]
    fn a_template_that_cannot_be_compiled_is_refused() {
        assert!(check("{% if %}").is_err());
        assert!(check("{{ result.a | nosuchfilter }}").is_err());
        assert!(check("{{ result.orders[0].number }}").is_ok());
    }
}
