//! From a definition, a call and an identity to the exact request.
//!
//! What always holds: no value can change the host, leave its place in the path,
//! or add a parameter (rule G9). A value that could is an error, never "cleaned".

use maitred_core::action::{Arguments, Call};
use serde_json::Value;
use url::Url;

use super::{
    Action, ActionError, Context,
    definition::{Method, split_url},
};

/// A request that is ready but for its assertion.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Vec<u8>,
}

/// Puts who and what into the request.
pub(super) fn build(
    action: &Action,
    call: &Call,
    context: Context<'_>,
) -> Result<Request, ActionError> {
    let template = action
        .http
        .url
        .get(&context.scope.environment)
        .ok_or(ActionError::NoAddress)?;
    let (origin, path) = split_url(template).ok_or(ActionError::NoAddress)?;
    let values = Values {
        arguments: &call.arguments,
        context,
    };

    let mut url = Url::parse(origin).map_err(|_| ActionError::NoAddress)?;
    {
        let mut segments = url
            .path_segments_mut()
            .map_err(|()| ActionError::NoAddress)?;
        segments.clear();
        for segment in path.split('/').skip(1) {
            segments.push(&values.segment(segment)?);
        }
    }
    for (name, template) in &action.http.query {
        if let Some(value) = values.filled(template)? {
            url.query_pairs_mut().append_pair(name, &value);
        }
    }
    Ok(Request {
        method: action.http.method,
        url,
        body: Vec::new(),
    })
}

/// The names between `{{` and `}}`, in order.
pub(super) fn placeholders(template: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .ok_or("has a `{{` without its `}}`".to_owned())?;
        if before.contains("}}") {
            return Err("has a `}}` without its `{{`".to_owned());
        }
        names.push(name.trim());
        rest = after;
    }
    if rest.contains("}}") {
        return Err("has a `}}` without its `{{`".to_owned());
    }
    Ok(names)
}

struct Values<'v> {
    arguments: &'v Arguments,
    context: Context<'v>,
}

impl Values<'_> {
    /// A path segment with its values in it. The URL percent-encodes it, which
    /// leaves only what means "here" or "up" to be refused.
    fn segment(&self, template: &str) -> Result<String, ActionError> {
        let names = placeholders(template).map_err(|_| ActionError::NoAddress)?;
        let Some(first) = names.first() else {
            return Ok(template.to_owned());
        };
        let text = self
            .filled(template)?
            .ok_or_else(|| ActionError::Absent((*first).to_owned()))?;
        // `%2e` is a dot to a server that decodes before it looks.
        let decoded = text
            .to_ascii_lowercase()
            .replace("%2e", ".")
            .replace("%252e", ".");
        if matches!(decoded.as_str(), "" | "." | "..") || text.chars().any(char::is_control) {
            return Err(ActionError::Unfit((*first).to_owned()));
        }
        Ok(text)
    }

    /// The text with its values in it; `None` if an argument was not given. What
    /// is absent of the identity is an error: it would widen what is asked for.
    fn filled(&self, template: &str) -> Result<Option<String>, ActionError> {
        let names = placeholders(template).map_err(|_| ActionError::NoAddress)?;
        let mut text = String::new();
        let mut rest = template;
        for name in names {
            let Some(value) = self.value(name)? else {
                return Ok(None);
            };
            let Some((before, after)) = rest.split_once("{{") else {
                break;
            };
            text.push_str(before);
            text.push_str(&value);
            rest = after.split_once("}}").map_or("", |(_, after)| after);
        }
        text.push_str(rest);
        Ok(Some(text))
    }

    fn value(&self, name: &str) -> Result<Option<String>, ActionError> {
        if name.starts_with("user.") {
            return self
                .context
                .session
                .value(name, self.context.now)
                .map(Some)
                .ok_or_else(|| ActionError::Absent(name.to_owned()));
        }
        Ok(match self.arguments.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Bool(flag)) => Some(flag.to_string()),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => None,
        })
    }
}

#[cfg(test)]
mod tests;
