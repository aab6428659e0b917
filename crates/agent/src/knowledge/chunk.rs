//! From one Markdown document to pieces that can be found and quoted.
//!
//! A [`Chunk`] is what search ranks and what an answer cites: small enough for
//! the embedding model to read whole, and never across a heading, so that its
//! headings say what it is about. Blocks (a paragraph, a list, a table) are kept
//! together where they fit and stay Markdown.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use unicode_segmentation::UnicodeSegmentation;

use crate::engine::tokenizer::Tokenizer;

/// A chunk has at most this many word pieces.
pub const MAX_PIECES: usize = 180;

/// A part of a document, under one heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The document's title.
    pub title: String,
    /// The headings above the text, outermost first, without a first one that repeats the title.
    pub headings: Vec<String>,
    /// Where on the page the text is: the fragment of its nearest heading.
    pub anchor: Option<String>,
    /// The text, Markdown.
    pub text: String,
}

impl Chunk {
    /// What the chunk is about, in a line: the title and the headings.
    pub fn heading_line(&self) -> String {
        let mut line = self.title.clone();
        for heading in &self.headings {
            line.push_str(": ");
            line.push_str(heading);
        }
        line
    }
}

/// Cuts a document into chunks, in reading order. Headings without text give none.
pub fn chunk_markdown(title: &str, markdown: &str, tokenizer: &Tokenizer) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for section in sections(title, markdown) {
        for text in pack(&section.blocks, tokenizer) {
            chunks.push(Chunk {
                title: title.to_owned(),
                headings: section.headings.clone(),
                anchor: section.anchor.clone(),
                text,
            });
        }
    }
    chunks
}

/// What stands between one heading and the next.
struct Section<'m> {
    headings: Vec<String>,
    anchor: Option<String>,
    blocks: Vec<&'m str>,
}

/// A heading while it is being read.
struct Heading {
    level: HeadingLevel,
    id: Option<String>,
    text: String,
}

fn sections<'m>(title: &str, markdown: &'m str) -> Vec<Section<'m>> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut sections = vec![Section {
        headings: vec![],
        anchor: None,
        blocks: vec![],
    }];
    let mut path: Vec<Heading> = Vec::new();
    let mut heading: Option<Heading> = None;
    let mut depth = 0_usize;

    for (event, range) in Parser::new_ext(markdown, options).into_offset_iter() {
        // A heading inside a quotation or a list is text like any other.
        if let Event::Start(Tag::Heading { level, id, .. }) = &event
            && depth == 0
        {
            let id = id.as_ref().map(ToString::to_string);
            heading = Some(Heading {
                level: *level,
                id,
                text: String::new(),
            });
        } else if let Some(open) = &mut heading {
            if let Event::Text(text) | Event::Code(text) = &event {
                open.text.push_str(text);
            } else if matches!(event, Event::SoftBreak | Event::HardBreak) {
                open.text.push(' ');
            } else if matches!(event, Event::End(TagEnd::Heading(_))) {
                path.retain(|above| above.level < open.level);
                path.extend(heading.take());
                sections.push(opened(title, &path));
            }
        } else if let Event::Start(tag) = event {
            if depth == 0 && !matches!(tag, Tag::MetadataBlock(_)) {
                push_block(&mut sections, &markdown[range]);
            }
            depth += 1;
        } else if matches!(event, Event::End(_)) {
            depth = depth.saturating_sub(1);
        }
    }
    sections
}

fn opened<'m>(title: &str, path: &[Heading]) -> Section<'m> {
    let mut headings: Vec<String> = path.iter().map(|heading| heading.text.clone()).collect();
    if headings
        .first()
        .is_some_and(|first| first.trim().eq_ignore_ascii_case(title.trim()))
    {
        headings.remove(0);
    }
    let anchor = path
        .last()
        .map(|nearest| nearest.id.clone().unwrap_or_else(|| slug(&nearest.text)));
    Section {
        headings,
        anchor,
        blocks: vec![],
    }
}

fn push_block<'m>(sections: &mut [Section<'m>], block: &'m str) {
    let block = block.trim_end();
    if let Some(section) = sections.last_mut().filter(|_| !block.trim().is_empty()) {
        section.blocks.push(block);
    }
}

/// The fragment that most renderers give a heading: lower case, words joined by hyphens.
fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_');
    kept.flat_map(char::to_lowercase)
        .collect::<String>()
        .trim()
        .replace(' ', "-")
}

/// Puts blocks together into texts as long as allowed; cuts blocks that are too long alone.
fn pack(blocks: &[&str], tokenizer: &Tokenizer) -> Vec<String> {
    let mut texts = Vec::new();
    let mut current = Packed::default();
    for block in blocks {
        let n_pieces = tokenizer.count(block);
        if n_pieces <= MAX_PIECES {
            current.push(block, "\n\n", n_pieces, &mut texts);
            continue;
        }
        current.flush(&mut texts);
        for part in parts(block) {
            for (part, n_pieces) in shortened(part, tokenizer) {
                current.push(part, "", n_pieces, &mut texts);
            }
        }
        current.flush(&mut texts);
    }
    current.flush(&mut texts);
    texts
}

#[derive(Default)]
struct Packed {
    text: String,
    n_pieces: usize,
}

impl Packed {
    fn push(&mut self, part: &str, joint: &str, n_pieces: usize, texts: &mut Vec<String>) {
        if self.n_pieces + n_pieces > MAX_PIECES {
            self.flush(texts);
        }
        if !self.text.is_empty() {
            self.text.push_str(joint);
        }
        self.text.push_str(part);
        self.n_pieces += n_pieces;
    }

    fn flush(&mut self, texts: &mut Vec<String>) {
        let text = std::mem::take(&mut self.text);
        self.n_pieces = 0;
        if !text.trim().is_empty() {
            texts.push(text.trim_end().to_owned());
        }
    }
}

/// The lines of a list, a table or code; the sentences of a paragraph.
fn parts(block: &str) -> Vec<&str> {
    let lines: Vec<&str> = block.split_inclusive('\n').collect();
    lines
        .into_iter()
        .flat_map(UnicodeSegmentation::split_sentence_bounds)
        .collect()
}

/// A part that is too long even alone, cut between words (or, without any, characters).
fn shortened<'p>(part: &'p str, tokenizer: &Tokenizer) -> Vec<(&'p str, usize)> {
    let n_pieces = tokenizer.count(part);
    let middle = part.len() / 2;
    if n_pieces <= MAX_PIECES {
        return vec![(part, n_pieces)];
    }
    let spaces = part
        .char_indices()
        .filter(|(_, c)| c.is_whitespace())
        .map(|(at, c)| at + c.len_utf8());
    let characters = part.char_indices().map(|(at, _)| at);
    let nearest = |at: &usize| at.abs_diff(middle);
    let inside = |at: &usize| *at > 0 && *at < part.len();
    let cut = spaces
        .filter(inside)
        .min_by_key(nearest)
        .or_else(|| characters.filter(inside).min_by_key(nearest));
    let Some((head, tail)) = cut.map(|at| part.split_at(at)) else {
        return vec![(part, n_pieces)];
    };
    let mut cuts = shortened(head, tokenizer);
    cuts.extend(shortened(tail, tokenizer));
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::embed::Embedder;

    const SHIPPING: &str = "\
---
layout: help
---
# Shipping

We ship from Ghent.

## Where we ship

All of **Europe**.

- Belgium
- Norway

### Islands {#far}

Not to *all* islands.

## Empty

## How long it takes?

Two days.
";

    fn chunks(title: &str, markdown: &str) -> Vec<Chunk> {
        chunk_markdown(title, markdown, Embedder::new().tokenizer())
    }

    #[test]
    fn a_chunk_never_crosses_a_heading_and_knows_those_above_it() {
        let found: Vec<_> = chunks("Shipping", SHIPPING)
            .into_iter()
            .map(|chunk| (chunk.heading_line(), chunk.anchor.unwrap(), chunk.text))
            .collect();

        let expected = [
            ("Shipping", "shipping", "We ship from Ghent."),
            (
                "Shipping: Where we ship",
                "where-we-ship",
                "All of **Europe**.\n\n- Belgium\n- Norway",
            ),
            (
                "Shipping: Where we ship: Islands",
                "far",
                "Not to *all* islands.",
            ),
            (
                "Shipping: How long it takes?",
                "how-long-it-takes",
                "Two days.",
            ),
        ];
        let expected =
            expected.map(|(line, anchor, text)| (line.into(), anchor.into(), text.into()));
        assert_eq!(found, expected);
    }

    #[test]
    fn text_before_any_heading_has_no_anchor() {
        let found = chunks("Note", "Only this.");

        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].anchor.clone(), found[0].headings.len()),
            (None, 0)
        );
    }

    #[test]
    fn long_text_is_cut_between_sentences_and_nothing_is_lost() {
        let sentences: Vec<String> = (0..60)
            .map(|n| format!("Sentence number {n} says something."))
            .collect();
        let embedder = Embedder::new();

        let found = chunk_markdown("Long", &sentences.join(" "), embedder.tokenizer());

        assert!(found.len() >= 2);
        for chunk in &found {
            assert!(embedder.tokenizer().count(&chunk.text) <= MAX_PIECES);
            assert!(chunk.text.ends_with("something."), "{}", chunk.text);
        }
        let together: Vec<&str> = found.iter().map(|chunk| chunk.text.as_str()).collect();
        assert_eq!(together.join(" "), sentences.join(" "));
    }

    #[test]
    fn text_without_any_boundary_is_cut_all_the_same() {
        let found = chunks("Chinese", &"我的订单在哪里".repeat(100));

        assert!(found.len() >= 4);
        assert!(chunks("", "").is_empty());
    }

    #[test]
    fn short_blocks_share_a_chunk() {
        let found = chunks("Notes", "One.\n\nTwo.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n");

        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].text,
            "One.\n\nTwo.\n\n| a | b |\n|---|---|\n| 1 | 2 |"
        );
    }
}
