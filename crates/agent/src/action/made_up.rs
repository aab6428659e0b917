//! Codes that a model made up.
//!
//! Models fill in an order number that nobody named, by the look of its pattern. A
//! value of such a form is taken only if it stands somewhere in what was said or came
//! back; else it is left out, and if it is needed the model is told that it is missing
//! and asks for it.

use maitred_core::action::Arguments;
use serde_json::Value;

/// Takes out of a call's arguments what has the form of a code and stands in none of
/// these texts. The names of what was taken.
pub(crate) fn leave_out<'t>(
    parameters: &Value,
    arguments: &mut Arguments,
    texts: impl Iterator<Item = &'t str> + Clone,
) -> Vec<String> {
    let made_up = |name: &str, value: &Value| {
        let property = &parameters["properties"][name];
        value.as_str().is_some_and(|value| {
            is_code(property, value) && {
                let value = bare(value);
                !texts.clone().any(|text| bare(text).contains(&value))
            }
        })
    };
    let names: Vec<String> = arguments
        .iter()
        .filter(|(name, value)| made_up(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in &names {
        arguments.remove(name);
    }
    names
}

/// Words can be put otherwise, and dates and amounts worked out; a code cannot.
fn is_code(property: &Value, value: &str) -> bool {
    let has = |key: &str| property[key].is_string();
    let is_address = matches!(property["format"].as_str(), Some("email" | "uuid"));
    is_address || (has("pattern") && value.chars().any(|c| c.is_ascii_digit()))
}

/// Without what people leave out or put in: `A-10001`, `a 10001`.
fn bare(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn left_out(arguments: Value, texts: &[&str]) -> (Vec<String>, Value) {
        let parameters = json!({ "type": "object", "properties": {
            "order_number": { "type": "string", "pattern": "^A-[0-9]{5}$" },
            "size": { "type": "string", "pattern": "^(small|large)$" },
            "on": { "type": "string", "format": "date" },
            "email": { "type": "string", "format": "email" },
            "note": { "type": "string" },
        }});
        let Value::Object(mut arguments) = arguments else {
            panic!("an object");
        };
        let names = leave_out(&parameters, &mut arguments, texts.iter().copied());
        (names, Value::Object(arguments))
    }

    #[test]
    fn a_code_that_nobody_named_is_left_out() {
        let (names, rest) = left_out(
            json!({ "order_number": "A-12345", "email": "sarah@example.com", "note": "soon" }),
            &["where is my order", "It is A-10001."],
        );

        assert_eq!(names, ["email", "order_number"]);
        assert_eq!(rest, json!({ "note": "soon" }));
    }

    #[test]
    fn a_code_that_was_named_is_kept_however_it_was_written() {
        for said in [
            "where is A-10001?",
            "where is a10001",
            "order a 10001 please",
            r#"{"orders":[{"number":"A-10001"}]}"#,
        ] {
            let (names, rest) = left_out(json!({ "order_number": "A-10001" }), &[said]);

            assert_eq!(names, Vec::<String>::new(), "{said}");
            assert_eq!(rest, json!({ "order_number": "A-10001" }));
        }
    }

    #[test]
    fn what_can_be_worked_out_is_kept() {
        let arguments = json!({ "on": "2026-11-25", "size": "large", "note": "urgent" });

        let (names, rest) = left_out(arguments.clone(), &["the big one, tomorrow"]);

        assert_eq!(names, Vec::<String>::new());
        assert_eq!(rest, arguments);
    }
}
