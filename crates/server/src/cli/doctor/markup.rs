//! What a browser would find in a page's HTML: scripts, and rules about them.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// What of a page matters here.
#[derive(Debug, Default)]
pub(super) struct Markup {
    pub(super) scripts: Vec<Script>,
    /// The Content-Security-Policies that stand in the page itself.
    pub(super) policies: Vec<String>,
    /// Where relative addresses begin.
    pub(super) base: Option<String>,
}

/// One `<script>`, which a browser has not necessarily run.
#[derive(Debug, Default)]
pub(super) struct Script {
    attributes: BTreeMap<String, String>,
    pub(super) text: String,
}

impl Markup {
    /// Reads tags as browsers do: in comments there are none, names have no casing,
    /// and values stand in either quotes or in none.
    pub(super) fn read(html: &str) -> Self {
        let mut markup = Self::default();
        let mut open: Option<Script> = None;
        // What is in a template is not part of the page yet.
        let mut templates = 0_usize;
        let mut emitter = DefaultEmitter::default();
        // What is between `<script>` and `</script>` is text.
        emitter.naively_switch_states(true);
        for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
            match token {
                Token::StartTag(tag) if *tag.name == b"template" => templates += 1,
                Token::EndTag(tag) if *tag.name == b"template" => {
                    templates = templates.saturating_sub(1);
                }
                Token::StartTag(tag) if *tag.name == b"script" => {
                    open = Some(Script {
                        attributes: attributes(&tag),
                        text: String::new(),
                    });
                }
                Token::EndTag(tag) if *tag.name == b"script" => {
                    markup
                        .scripts
                        .extend(open.take().filter(|_| templates == 0));
                }
                Token::StartTag(tag) if templates == 0 => markup.rule(&tag),
                Token::String(text) => {
                    if let Some(script) = &mut open {
                        script.text += &String::from_utf8_lossy(&text);
                    }
                }
                Token::StartTag(_)
                | Token::EndTag(_)
                | Token::Comment(_)
                | Token::Doctype(_)
                | Token::Error(_) => (),
            }
        }
        markup
    }

    fn rule(&mut self, tag: &StartTag<()>) {
        let mut attributes = attributes(tag);
        if *tag.name == b"base" && self.base.is_none() {
            self.base = attributes.remove("href");
        }
        let is_policy = attributes
            .get("http-equiv")
            .is_some_and(|it| it.eq_ignore_ascii_case("content-security-policy"));
        if *tag.name == b"meta" && is_policy {
            self.policies.extend(attributes.remove("content"));
        }
    }
}

impl Script {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Where it is loaded from.
    pub(super) fn src(&self) -> Option<&str> {
        self.attribute("src").map(str::trim)
    }
}

fn attributes(tag: &StartTag<()>) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let attributes = tag.attributes.iter();
    attributes
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}
