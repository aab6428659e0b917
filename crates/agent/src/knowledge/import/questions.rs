//! Questions with their answers: typed, or from JSON or CSV.

use serde::Deserialize;

use super::{ImportError, clean_text, clean_title};

/// The most pairs of one source.
const MAX_PAIRS: usize = 5_000;

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// What is asked.
    pub question: String,
    /// Markdown.
    pub answer: String,
    /// Where a visitor can read more, if anywhere.
    #[serde(default)]
    pub url: Option<String>,
}

impl Pair {
    /// Without what cannot be seen; none if nothing is left of either.
    pub fn cleaned(self) -> Option<Self> {
        let pair = Self {
            question: clean_title(&self.question),
            answer: clean_text(&self.answer).trim().to_owned(),
            url: self.url.filter(|url| !url.trim().is_empty()),
        };
        (!pair.question.is_empty() && !pair.answer.is_empty()).then_some(pair)
    }
}

/// Reads pairs: a JSON array of objects, or CSV with a line of names.
pub fn read_pairs(text: &str) -> Result<Vec<Pair>, ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    let pairs: Vec<Pair> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| ImportError::Broken(error.to_string()))?
    } else {
        from_csv(text)?
    };
    if pairs.len() > MAX_PAIRS {
        let why = format!("there are more than {MAX_PAIRS} questions in it");
        return Err(ImportError::Broken(why));
    }
    let pairs: Vec<Pair> = pairs.into_iter().filter_map(Pair::cleaned).collect();
    if pairs.is_empty() {
        return Err(ImportError::Empty);
    }
    Ok(pairs)
}

fn from_csv(text: &str) -> Result<Vec<Pair>, ImportError> {
    let first = text.lines().next().unwrap_or_default();
    let separator = [',', ';', '\t']
        .into_iter()
        .max_by_key(|separator| first.matches(*separator).count())
        .unwrap_or(',');
    let mut rows = rows(text, separator)?.into_iter();
    let names = rows.next().unwrap_or_default();
    let column = |wanted: &str| {
        let mut names = names.iter();
        names.position(|name| name.trim().eq_ignore_ascii_case(wanted))
    };
    let (Some(question), Some(answer)) = (column("question"), column("answer")) else {
        let why =
            "its first line must name the columns `question` and `answer`, and may name `url`";
        return Err(ImportError::Broken(why.to_owned()));
    };
    let url = column("url");
    let pairs = rows.map(|row| {
        let cell = |at: usize| row.get(at).cloned().unwrap_or_default();
        Pair {
            question: cell(question),
            answer: cell(answer),
            url: url.map(cell),
        }
    });
    Ok(pairs.collect())
}

/// The rows of a CSV text (RFC 4180).
fn rows(text: &str, separator: char) -> Result<Vec<Vec<String>>, ImportError> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            c if quoted => cell.push(c),
            '\r' => (),
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c if c == separator => row.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if quoted {
        let why = format!("a quotation mark in row {} is not closed", rows.len() + 1);
        return Err(ImportError::Broken(why));
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(question: &str, answer: &str, url: Option<&str>) -> Pair {
        Pair {
            question: question.to_owned(),
            answer: answer.to_owned(),
            url: url.map(str::to_owned),
        }
    }

    #[test]
    fn csv_is_read_with_its_quotes_and_by_the_names_of_its_columns() {
        let csv = "Answer;Question;url\r\n\"Yes; \"\"all\"\" of\nEurope\";Do you ship?;\r\n\r\n2 days;How long?;https://s/h\n";

        let found = read_pairs(csv).unwrap();

        let first = pair("Do you ship?", "Yes; \"all\" of\nEurope", None);
        let second = pair("How long?", "2 days", Some("https://s/h"));
        assert_eq!(found, [first, second]);
    }

    #[test]
    fn json_is_read_and_what_is_too_much_in_it_is_named() {
        let good = r#"[{"question":"Do you\u200b ship?","answer":" Yes. "}]"#;
        let typo = r#"[{"question":"Q","answer":"A","anwser":"B"}]"#;

        assert_eq!(
            read_pairs(good).unwrap(),
            [pair("Do you ship?", "Yes.", None)]
        );
        let error = read_pairs(typo).unwrap_err().to_string();
        assert!(error.contains("anwser"), "{error}");
    }

    #[test]
    fn what_cannot_be_pairs_is_refused_and_why() {
        for (text, why) in [
            ("question,reply\na,b", "must name the columns"),
            ("question,answer\na,\"b", "row 2 is not closed"),
            ("question,answer\n,\n", "no text"),
            ("[]", "no text"),
            ("[1]", "cannot be read"),
        ] {
            let error = read_pairs(text).unwrap_err().to_string();

            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
