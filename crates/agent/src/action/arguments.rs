//! What the model may set, and whether it did so.
//!
//! A small part of JSON Schema: an object of named values, each with `type`,
//! `pattern`, `enum`, `format`, and a list of required ones. A schema that says
//! more is refused when it is imported: what is not checked must not look as if
//! it were.

use maitred_core::action::Arguments;
use regex::Regex;
use serde_json::Value;

/// How a call's arguments differ from the schema. Names only: a value may be anybody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArguments {
    /// An argument that the Action does not take. An identity field is one of
    /// these: identities are not the model's to choose (rule G1).
    #[error("`{0}` is not an argument of this Action")]
    Unknown(String),
    /// One that it needs.
    #[error("`{0}` is missing")]
    Missing(String),
    /// One that is of another type or form.
    #[error("`{0}` is not of the expected form")]
    Form(String),
}

const TYPES: [&str; 4] = ["string", "integer", "number", "boolean"];
const KEYWORDS: [&str; 7] = [
    "type",
    "pattern",
    "enum",
    "format",
    "description",
    "examples",
    "title",
];

/// Whether a schema lies in the part that is checked. Else what to change.
pub(super) fn check_schema(schema: &Value) -> Result<(), String> {
    let object = schema
        .as_object()
        .ok_or("must be a JSON Schema of an object")?;
    if object.get("type") != Some(&Value::from("object")) {
        return Err("must have `\"type\": \"object\"`".to_owned());
    }
    for keyword in object.keys() {
        if !matches!(
            keyword.as_str(),
            "type" | "properties" | "required" | "additionalProperties"
        ) {
            return Err(format!("uses `{keyword}`, which is not supported"));
        }
    }
    let none = serde_json::Map::new();
    let properties = object.get("properties").map_or(Ok(&none), |it| {
        it.as_object().ok_or("must have an object in `properties`")
    })?;
    for (name, property) in properties {
        check_property(property).map_err(|problem| format!("`{name}` {problem}"))?;
    }
    for name in required(schema) {
        if !properties.contains_key(name) {
            return Err(format!("requires `{name}`, which it does not describe"));
        }
    }
    Ok(())
}

fn check_property(property: &Value) -> Result<(), String> {
    let object = property.as_object().ok_or("must be an object")?;
    if let Some(keyword) = object.keys().find(|it| !KEYWORDS.contains(&it.as_str())) {
        return Err(format!("uses `{keyword}`, which is not supported"));
    }
    let kind = object
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !TYPES.contains(&kind) {
        return Err(format!("must have one of the types {}", TYPES.join(", ")));
    }
    if let Some(pattern) = object.get("pattern") {
        let pattern = pattern.as_str().ok_or("must have a text as `pattern`")?;
        Regex::new(pattern).map_err(|_| "has a `pattern` that cannot be used")?;
    }
    Ok(())
}

/// Whether a call's arguments are what the schema says.
pub(super) fn check(schema: &Value, arguments: &Arguments) -> Result<(), BadArguments> {
    for (name, value) in arguments {
        let property = schema["properties"]
            .get(name)
            .ok_or_else(|| BadArguments::Unknown(name.clone()))?;
        if !fits(property, value) {
            return Err(BadArguments::Form(name.clone()));
        }
    }
    match required(schema).find(|name| !arguments.contains_key(*name)) {
        Some(name) => Err(BadArguments::Missing(name.to_owned())),
        None => Ok(()),
    }
}

/// The names of the arguments that a call must have.
pub(crate) fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn fits(property: &Value, value: &Value) -> bool {
    let of_type = match property["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(_) | None => false,
    };
    let of_list = property["enum"]
        .as_array()
        .is_none_or(|choices| choices.contains(value));
    let of_pattern = property["pattern"].as_str().is_none_or(|pattern| {
        let text = value.as_str().unwrap_or_default();
        Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
    });
    of_type && of_list && of_pattern
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "order_number": { "type": "string", "pattern": "^A-[0-9]{5}$" },
                "copies": { "type": "integer" },
                "size": { "type": "string", "enum": ["S", "M"] }
            },
            "required": ["order_number"]
        })
    }

    fn checked(arguments: Value) -> Result<(), BadArguments> {
        check(&schema(), arguments.as_object().unwrap())
    }

    #[test]
    fn arguments_of_the_expected_form_pass() {
        assert_eq!(
            checked(json!({ "order_number": "A-10001", "copies": 2, "size": "M" })),
            Ok(())
        );
    }

    #[test]
    fn g1_an_identity_field_in_the_arguments_is_refused() {
        for field in ["customer_id", "user_id", "sub", "email"] {
            assert_eq!(
                checked(json!({ "order_number": "A-10001", field: "7" })),
                Err(BadArguments::Unknown(field.to_owned()))
            );
        }
    }

    #[test]
    fn arguments_of_another_form_are_refused() {
        let form = |name: &str| Err(BadArguments::Form(name.to_owned()));
        let good = "A-10001";

        assert_eq!(
            checked(json!({})),
            Err(BadArguments::Missing("order_number".to_owned()))
        );
        assert_eq!(
            checked(json!({ "order_number": "A-10001/../../7" })),
            form("order_number")
        );
        assert_eq!(
            checked(json!({ "order_number": 10001 })),
            form("order_number")
        );
        assert_eq!(
            checked(json!({ "order_number": good, "copies": "2" })),
            form("copies")
        );
        assert_eq!(
            checked(json!({ "order_number": good, "size": "XL" })),
            form("size")
        );
    }

    #[test]
    fn a_schema_that_says_more_than_is_checked_is_refused() {
        assert!(check_schema(&schema()).is_ok());
        for wrong in [
            json!([]),
            json!({ "type": "array" }),
            json!({ "type": "object", "anyOf": [] }),
            json!({ "type": "object", "properties": { "a": { "type": "array" } } }),
            json!({ "type": "object", "properties": { "a": { "type": "string", "maxLength": 3 } } }),
            json!({ "type": "object", "properties": { "a": { "type": "string", "pattern": "(" } } }),
            json!({ "type": "object", "required": ["a"] }),
        ] {
            assert!(check_schema(&wrong).is_err(), "{wrong}");
        }
    }
}
