//! From what an operator hands over, or a site serves, to Markdown with headings.
//!
//! What a file is, its bytes say, and not its name (rule W9). Names and titles are data
//! like the rest: cleaned of what cannot be seen, and cut (rule G10). Nothing that a
//! document names is fetched: no image, no style, no frame.

mod html;
mod questions;

use maitred_token::is_invisible;

pub use self::{
    html::{Html, read_html},
    questions::{Pair, read_pairs},
};

/// The most of a file that is taken.
pub const MAX_FILE: usize = 20 * 1024 * 1024;

/// The longest title, in characters.
const MAX_TITLE: usize = 200;

/// What came of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Its own title, if it has one.
    pub title: Option<String>,
    /// Markdown.
    pub markdown: String,
}

/// Why a document cannot be read. Its reader is the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// More than is taken.
    #[error("it is larger than {} MiB", MAX_FILE / 1024 / 1024)]
    TooLarge,
    /// Not a kind that is understood.
    #[error("it is {0}; what can be read is Markdown, text, HTML, PDF and DOCX")]
    OtherKind(&'static str),
    /// There is nothing in it to answer from.
    #[error("there is no text in it")]
    Empty,
    /// It is no document of the kind that it begins like.
    #[error("it cannot be read: {0}")]
    Broken(String),
}

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text without markup, or with Markdown's.
    Text,
    /// HTML.
    Html,
    /// PDF.
    Pdf,
    /// A Word document.
    Docx,
}

/// What these bytes are, by the bytes.
pub fn kind_of(bytes: &[u8]) -> Result<Kind, ImportError> {
    // Some writers put a few bytes in front.
    let start = &bytes[..bytes.len().min(1_024)];
    if start.windows(5).any(|it| it == b"%PDF-") {
        return Ok(Kind::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let is_docx = bytes.windows(17).any(|it| it == b"word/document.xml");
        return if is_docx {
            Ok(Kind::Docx)
        } else {
            Err(ImportError::OtherKind("an archive"))
        };
    }
    for (magic, what) in [
        (&b"\xd0\xcf\x11\xe0"[..], "an old Office document"),
        (b"\x89PNG", "a picture"),
        (b"\xff\xd8\xff", "a picture"),
        (b"GIF8", "a picture"),
        (b"\x1f\x8b", "compressed"),
        (b"\x7fELF", "a program"),
        (b"MZ", "a program"),
    ] {
        if bytes.starts_with(magic) {
            return Err(ImportError::OtherKind(what));
        }
    }
    if bytes.contains(&0) && !bytes.starts_with(b"\xff\xfe") && !bytes.starts_with(b"\xfe\xff") {
        return Err(ImportError::OtherKind("no text"));
    }
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    let is_html = ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|tag| start.starts_with(tag))
        || (start.starts_with("<!--") && start.contains("<html"));
    Ok(if is_html { Kind::Html } else { Kind::Text })
}

/// Reads Markdown, text or HTML.
pub fn read_text(bytes: &[u8], kind: Kind, charset: Option<&str>) -> Result<Document, ImportError> {
    let text = decoded(bytes, charset);
    let document = match kind {
        Kind::Html => read_html(&text).document,
        Kind::Text | Kind::Pdf | Kind::Docx => Document {
            title: first_heading(&text),
            markdown: clean_text(&text),
        },
    };
    if document.markdown.trim().is_empty() {
        return Err(ImportError::Empty);
    }
    Ok(document)
}

/// As UTF-8, which nearly everything is; else as the two that are met besides it.
pub fn decoded(bytes: &[u8], charset: Option<&str>) -> String {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
        char::decode_utf16(units)
            .map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => return wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => return String::from_utf8_lossy(rest).into_owned(),
        _ => (),
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let western = ["iso-8859-1", "latin1", "windows-1252", "iso-8859-15"];
            let is_western = charset.is_none_or(|it| western.contains(&it));
            if is_western {
                bytes.iter().map(|byte| char::from(*byte)).collect()
            } else {
                String::from_utf8_lossy(bytes).into_owned()
            }
        }
    }
}

/// Text without what cannot be seen, but for what parts lines and words.
pub fn clean_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars()
        .filter(|&c| matches!(c, '\n' | '\t') || is_joiner(c) || !is_hidden(c))
        .collect()
}

/// What some scripts and emojis join letters with: it hides nothing by itself.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_hidden(c: char) -> bool {
    is_invisible(c) || matches!(c, '\u{fe00}'..='\u{fe0e}' | '\u{e0100}'..='\u{e01ef}')
}

/// A name or a title: in one line, without what cannot be seen, cut.
pub fn clean_title(text: &str) -> String {
    let seen = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c });
    let seen: String = seen.filter(|&c| !is_hidden(c)).collect();
    let words: Vec<&str> = seen.split_whitespace().collect();
    let mut title = words.join(" ");
    if let Some((at, _)) = title.char_indices().nth(MAX_TITLE) {
        title.truncate(at);
        title.push('…');
    }
    title
}

/// The first heading of a Markdown text, if it begins with one.
fn first_heading(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let title = clean_title(lines.next()?.strip_prefix("# ")?);
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w9_what_a_file_is_its_bytes_say() {
        for (bytes, kind) in [
            (&b"# Shipping\n\nTwo days."[..], Ok(Kind::Text)),
            (b"%PDF-1.7\n", Ok(Kind::Pdf)),
            (b"\xef\xbb\xbf<!DOCTYPE html><p>x", Ok(Kind::Html)),
            (b"  <html><body>", Ok(Kind::Html)),
            (b"PK\x03\x04....word/document.xml", Ok(Kind::Docx)),
            (b"PK\x03\x04....evil.exe", Err("an archive")),
            (b"\x89PNG\r\n", Err("a picture")),
            (b"MZ\x90\x00", Err("a program")),
            (b"a\0b", Err("no text")),
            (b"Tags like <html> are explained here", Ok(Kind::Text)),
        ] {
            let expected = kind.map_err(ImportError::OtherKind);

            assert_eq!(
                kind_of(bytes),
                expected,
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn g10_names_and_titles_show_everything_that_they_hold() {
        let hostile = "Re\u{202e}fund\u{200b}s\u{e0041}\u{e0042}\n\tof\u{7} 2\u{fe01}026";

        assert_eq!(clean_title(hostile), "Refunds of 2026");
        assert_eq!(clean_title(&"x".repeat(500)).chars().count(), 201);
        assert_eq!(clean_text("a\u{202e}b\r\nc\td\0"), "ab\nc\td");
    }

    #[test]
    fn text_is_read_in_the_encodings_that_are_met() {
        let wide: Vec<u8> = "\u{feff}Größe"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();

        assert_eq!(decoded("Größe".as_bytes(), None), "Größe");
        assert_eq!(decoded(b"Gr\xf6\xdfe", Some("iso-8859-1")), "Größe");
        assert_eq!(decoded(&wide, None), "Größe");
    }

    #[test]
    fn a_text_with_nothing_in_it_is_refused() {
        assert_eq!(
            read_text(b" \n\n", Kind::Text, None),
            Err(ImportError::Empty)
        );
        let read = read_text(b"\n# Shipping\n\nTwo days.", Kind::Text, None).unwrap();
        assert_eq!(read.title.as_deref(), Some("Shipping"));
    }
}
