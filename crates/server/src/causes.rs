//! What an error says in a log.

use std::{error::Error, fmt};

/// Displays an error with everything that led to it, from the outside in. For
/// the operator: nobody else may read so much.
pub(crate) struct Causes<'e>(pub(crate) &'e dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut inner = self.0.source();
        while let Some(cause) = inner {
            write!(f, ": {cause}")?;
            inner = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the database failed")]
    struct Failed(#[source] io::Error);

    #[test]
    fn an_error_is_told_with_all_its_causes() {
        let error = Failed(io::Error::other(Failed(io::Error::other("no route"))));

        assert_eq!(
            Causes(&error).to_string(),
            "the database failed: the database failed: no route"
        );
    }
}
