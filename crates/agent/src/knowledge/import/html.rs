//! HTML as Markdown: what a visitor would read of a page, and where it stands.
//!
//! Left out is what surrounds the text on every page (navigation, headers, footers,
//! forms) and what nobody sees. Where a page says which part is its own (`main`, or
//! an only `article`), the rest is left out. Headings keep their ids, so that a
//! citation opens at the place.

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use super::{Document, clean_text, clean_title};

/// What a page is, and where it leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html {
    /// Its text.
    pub document: Document,
    /// The address that it says is its own.
    pub canonical: Option<String>,
    /// Whether it asks not to be indexed.
    pub is_noindex: bool,
}

/// What is never read, nor anything in it.
const HIDDEN: [&str; 22] = [
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas",
    "audio", "video", "head", "nav", "footer", "aside", "form", "button", "select", "textarea",
    "dialog", "menu", "map",
];

/// Those that have no end.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Those that stand on lines of their own.
const BLOCKS: [&str; 22] = [
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "ul",
    "ol",
    "dl",
    "dt",
    "dd",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "figure",
    "figcaption",
    "address",
    "details",
    "summary",
    "fieldset",
    "hgroup",
];

/// Deeper than any page is.
const MAX_DEPTH: usize = 512;

/// Reads a page.
pub fn read_html(html: &str) -> Html {
    let parts = Parts::of(html);
    let mut page = Reader {
        only: parts.own,
        ..Reader::default()
    };
    page.read(html);
    let markdown = tidied(&page.out);
    let title = clean_title(&page.title);
    Html {
        document: Document {
            title: (!title.is_empty()).then_some(title),
            markdown,
        },
        canonical: page.canonical,
        is_noindex: page.is_noindex,
    }
}

fn tokens(html: &str) -> impl Iterator<Item = Token> {
    let mut emitter = DefaultEmitter::default();
    // What is between `<script>` and `</script>` is text.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).map_while(Result::ok)
}

/// Which part of a page is its own.
struct Parts {
    own: Option<&'static str>,
}

impl Parts {
    fn of(html: &str) -> Self {
        let (mut mains, mut articles) = (0, 0);
        for token in tokens(html) {
            if let Token::StartTag(tag) = token {
                match &tag.name[..] {
                    b"main" => mains += 1,
                    b"article" => articles += 1,
                    _ => (),
                }
            }
        }
        let own = match (mains, articles) {
            (1, _) => Some("main"),
            (0, 1) => Some("article"),
            _ => None,
        };
        Self { own }
    }
}

#[derive(Default)]
struct Reader {
    /// The element in which alone is read, if there is one.
    only: Option<&'static str>,
    /// The names of those that are open, and whether each hides what is in it.
    open: Vec<(String, bool)>,
    /// How many of those hide.
    hiding: usize,
    out: String,
    title: String,
    in_title: bool,
    canonical: Option<String>,
    is_noindex: bool,
    /// Lists that are open: the next number, or none.
    lists: Vec<Option<u32>>,
    /// The id that is next in front of a heading.
    heading: Option<Option<String>>,
    /// Inside `pre`.
    in_code: usize,
    row: Option<Row>,
    /// Where links lead, from the outside in.
    links: Vec<Option<String>>,
    rows: usize,
}

/// A row of a table while it is read.
#[derive(Default)]
struct Row {
    cells: usize,
}

impl Reader {
    fn read(&mut self, html: &str) {
        for token in tokens(html) {
            match token {
                Token::StartTag(tag) => self.start(&tag),
                Token::EndTag(tag) => self.end(&String::from_utf8_lossy(&tag.name)),
                Token::String(text) => self.text(&String::from_utf8_lossy(&text)),
                Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => (),
            }
        }
    }

    fn is_read(&self) -> bool {
        let inside = self
            .only
            .is_none_or(|only| self.open.iter().any(|(name, _)| name == only));
        self.hiding == 0 && inside
    }

    fn start(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        match name.as_str() {
            // Of the page, wherever they stand.
            "title" if self.title.is_empty() => self.in_title = true,
            "meta" => self.meta(tag),
            "link"
                if attribute(tag, "rel")
                    .is_some_and(|rel| rel.eq_ignore_ascii_case("canonical")) =>
            {
                self.canonical = attribute(tag, "href");
            }
            _ => (),
        }
        if VOID.contains(&name.as_str()) {
            if self.is_read() {
                self.void(&name);
            }
            return;
        }
        if tag.self_closing && self.hiding > 0 {
            return;
        }
        self.close_implied(&name);
        if self.open.len() >= MAX_DEPTH {
            return;
        }
        let hides = HIDDEN.contains(&name.as_str()) || is_hidden(tag);
        let is_header_of_page = name == "header"
            && !self
                .open
                .iter()
                .any(|(it, _)| it == "main" || it == "article");
        self.hiding += usize::from(hides || is_header_of_page);
        self.open.push((name.clone(), hides || is_header_of_page));
        if self.is_read() {
            self.opened(&name, tag);
        }
    }

    /// A new item, row or paragraph ends the one before, which needs no end.
    fn close_implied(&mut self, name: &str) {
        let ends: &[&str] = match name {
            "li" => &["li"],
            "tr" => &["td", "th", "tr"],
            "td" | "th" => &["td", "th"],
            "dt" | "dd" => &["dt", "dd"],
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "table" | "div"
            | "section" | "pre" | "blockquote" => &["p"],
            _ => return,
        };
        while let Some((last, _)) = self.open.last()
            && ends.contains(&last.as_str())
        {
            let last = last.clone();
            self.end(&last);
        }
    }

    fn meta(&mut self, tag: &StartTag<()>) {
        let named = attribute(tag, "name").is_some_and(|it| it.eq_ignore_ascii_case("robots"));
        let content = attribute(tag, "content").unwrap_or_default();
        if named && content.to_ascii_lowercase().contains("noindex") {
            self.is_noindex = true;
        }
    }

    fn void(&mut self, name: &str) {
        match name {
            "br" if self.in_code > 0 || self.row.is_none() => self.out.push('\n'),
            "br" | "wbr" => self.out.push(' '),
            "hr" => self.block(),
            // A picture is not fetched, and its description is no text of the page.
            _ => (),
        }
    }

    fn opened(&mut self, name: &str, tag: &StartTag<()>) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = usize::from(name.as_bytes()[1] - b'0');
                self.block();
                self.out.push_str(&"#".repeat(level));
                self.out.push(' ');
                self.heading = Some(attribute(tag, "id"));
            }
            "ul" | "menu" => {
                self.lists.push(None);
                self.line();
            }
            "ol" => {
                self.lists.push(Some(1));
                self.line();
            }
            "li" => self.item(),
            "pre" => {
                self.block();
                self.out.push_str("```\n");
                self.in_code += 1;
            }
            "code" if self.in_code == 0 => self.out.push('`'),
            "strong" | "b" => self.out.push_str("**"),
            "em" | "i" => self.out.push('*'),
            "blockquote" => {
                self.block();
                self.out.push_str("> ");
            }
            "table" => {
                self.rows = 0;
                self.block();
            }
            "tr" => {
                self.line();
                self.row = Some(Row::default());
            }
            "td" | "th" => {
                if let Some(row) = &mut self.row {
                    row.cells += 1;
                    self.out.push_str("| ");
                }
            }
            "a" => {
                let href = attribute(tag, "href");
                // The anchor inside of a heading is where links to it lead.
                if let Some(heading @ None) = &mut self.heading {
                    *heading = attribute(tag, "id").or_else(|| attribute(tag, "name"));
                }
                self.links
                    .push(href.filter(|it| it.starts_with("https://")));
            }
            name if BLOCKS.contains(&name) => self.block(),
            _ => (),
        }
    }

    fn end(&mut self, name: &str) {
        if name == "title" {
            self.in_title = false;
        }
        // An end without a beginning is none.
        let Some(at) = self.open.iter().rposition(|(open, _)| open == name) else {
            return;
        };
        // What is inside and was not ended is ended by it.
        while self.open.len() > at {
            let is_read = self.is_read();
            if let Some((name, hid)) = self.open.pop() {
                self.hiding -= usize::from(hid);
                if is_read {
                    self.closed(&name);
                }
            }
        }
    }

    fn closed(&mut self, name: &str) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                if let Some(Some(id)) = self.heading.take().map(|id| id.filter(|id| is_plain(id))) {
                    self.out.push_str(&format!(" {{#{id}}}"));
                }
                self.block();
            }
            "ul" | "ol" | "menu" => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.block();
                }
            }
            "pre" => {
                self.in_code = self.in_code.saturating_sub(1);
                self.line();
                self.out.push_str("```");
                self.block();
            }
            "code" if self.in_code == 0 => self.out.push('`'),
            "strong" | "b" => self.out.push_str("**"),
            "em" | "i" => self.out.push('*'),
            "td" | "th" => self.space(),
            "tr" => self.end_row(),
            "a" => _ = self.links.pop(),
            "blockquote" => self.block(),
            name if BLOCKS.contains(&name) => self.block(),
            _ => (),
        }
    }

    fn item(&mut self) {
        self.line();
        let depth = self.lists.len().saturating_sub(1);
        self.out.push_str(&"  ".repeat(depth));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.out.push_str(&format!("{number}. "));
                *number += 1;
            }
            Some(None) | None => self.out.push_str("- "),
        }
    }

    fn end_row(&mut self) {
        let Some(row) = self.row.take() else {
            return;
        };
        self.out.push_str("|\n");
        if self.rows == 0 && row.cells > 0 {
            self.out.push_str(&"|---".repeat(row.cells));
            self.out.push_str("|\n");
        }
        self.rows += 1;
    }

    fn text(&mut self, text: &str) {
        if self.in_title {
            self.title.push_str(text);
            return;
        }
        if !self.is_read() {
            return;
        }
        if self.in_code > 0 {
            self.out.push_str(&text.replace("```", "'''"));
            return;
        }
        for (at, word) in text.split(char::is_whitespace).enumerate() {
            if at > 0 && !self.out.ends_with([' ', '\n']) && !self.out.is_empty() {
                self.out.push(' ');
            }
            self.word(word);
        }
    }

    /// What Markdown would take for markup stays text.
    fn word(&mut self, word: &str) {
        let begins_line = self.out.is_empty() || self.out.ends_with('\n');
        if begins_line && (word.starts_with(['#', '>', '+', '-', '=', '~']) || is_number(word)) {
            // A bare number and a dot would begin a list.
            match word.strip_suffix(['.', ')']) {
                Some(number) if is_number(word) => {
                    let end = &word[number.len()..];
                    self.out.push_str(&format!("{number}\\{end}"));
                    return;
                }
                Some(_) | None => self.out.push('\\'),
            }
        }
        for c in word.chars() {
            if matches!(c, '*' | '_' | '`' | '[' | ']' | '<' | '\\' | '|') {
                self.out.push('\\');
            }
            self.out.push(c);
        }
    }

    fn space(&mut self) {
        if !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
    }

    /// The next text begins a line.
    fn line(&mut self) {
        if self.row.is_some() {
            self.space();
            return;
        }
        while self.out.ends_with(' ') {
            self.out.pop();
        }
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    /// The next text begins a paragraph. Not in a list or a table: both stay whole.
    fn block(&mut self) {
        let begins_item = self.out.ends_with("- ") || self.out.ends_with("> ");
        let begins_number = self.out.ends_with(". ");
        if begins_item || (begins_number && !self.lists.is_empty()) {
            return;
        }
        self.line();
        if self.lists.is_empty() && self.row.is_none() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }
}

fn is_number(word: &str) -> bool {
    word.strip_suffix(['.', ')'])
        .is_some_and(|it| !it.is_empty() && it.len() < 10 && it.bytes().all(|b| b.is_ascii_digit()))
}

/// An id that can stand in a Markdown heading, and in an address, as it is.
fn is_plain(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    !id.is_empty() && id.len() <= 200 && id.bytes().all(plain)
}

fn is_hidden(tag: &StartTag<()>) -> bool {
    let style = attribute(tag, "style").unwrap_or_default().replace(' ', "");
    let role = attribute(tag, "role").unwrap_or_default();
    let surrounds = [
        "navigation",
        "banner",
        "contentinfo",
        "search",
        "complementary",
        "dialog",
    ];
    attribute(tag, "hidden").is_some()
        || attribute(tag, "aria-hidden").is_some_and(|it| it == "true")
        || style.contains("display:none")
        || style.contains("visibility:hidden")
        || surrounds.contains(&role.as_str())
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// Without what cannot be seen, without spaces at the ends of lines, and without more
/// than one empty line in a row.
fn tidied(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let mut empty = 0;
    for line in clean_text(markdown).lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(html: &str) -> String {
        read_html(html).document.markdown
    }

    #[test]
    fn a_page_is_its_text_with_headings_and_their_ids() {
        let page = read_html(
            r#"<!doctype html><html><head><title> Shipping &amp; more </title>
            <link rel=canonical href="https://shop.example/ship">
            <style>p { color: red }</style><script>alert("<p>no</p>")</script></head>
            <body><header><h1>The shop</h1></header><nav><a href="/">Home</a></nav>
            <main><h1 id="top">Shipping</h1><p>We ship   from <b>Ghent</b>,
            to <em>Europe</em>.<br>Fast.</p>
            <h2 id="far">Far away</h2><ul><li>Norway<li>Japan <ol><li>Tokyo</ol></ul>
            <p hidden>secret</p><p style="display: none">secret</p><img alt="secret" src=x>
            </main><footer>Imprint</footer></body></html>"#,
        );

        assert_eq!(
            page.document.markdown,
            "# Shipping {#top}\n\nWe ship from **Ghent**, to *Europe*.\nFast.\n\n\
             ## Far away {#far}\n\n- Norway\n- Japan\n  1. Tokyo"
        );
        assert_eq!(page.document.title.as_deref(), Some("Shipping & more"));
        assert_eq!(page.canonical.as_deref(), Some("https://shop.example/ship"));
    }

    #[test]
    fn tables_and_code_stay_what_they_are() {
        let found = markdown(
            "<table><tr><th>Where<th>Days<tr><td>Europe<td><p>2</p></table>\
             <pre><code>let x = 1;\n  y *= 2;</code></pre><p>Run <code>go</code></p>",
        );

        assert_eq!(
            found,
            "| Where | Days |\n|---|---|\n| Europe | 2 |\n\n\
             ```\nlet x = 1;\n  y *= 2;\n```\n\nRun `go`"
        );
    }

    #[test]
    fn g10_what_looks_like_markdown_in_a_page_is_text() {
        let found = markdown("<p># not a heading<p>1. no list<p>a *b* [x](https://evil) &lt;b&gt;");

        assert_eq!(
            found,
            "\\# not a heading\n\n1\\. no list\n\na \\*b\\* \\[x\\](https://evil) \\<b>"
        );
    }

    #[test]
    fn g10_what_cannot_be_seen_in_a_page_is_not_read() {
        let found = markdown(
            "<p>Hi\u{200b}dden\u{202e}\u{e0041}</p><!-- ignore all --><p aria-hidden=true>no</p>\
             <template>no</template><div role=navigation>no</div><svg><text>no</text></svg>",
        );

        assert_eq!(found, "Hidden");
    }

    #[test]
    fn a_page_without_a_main_part_is_read_without_what_surrounds_it() {
        let found = markdown(
            "<header>Menu</header><div><h2>One</h2>Text</div><aside>Ad</aside><div>More</div>",
        );

        assert_eq!(found, "## One\n\nText\n\nMore");
    }

    #[test]
    fn whatever_a_page_is_made_of_it_is_read_to_its_end() {
        let deep = "<div>".repeat(5_000) + "deep";
        for html in [
            deep.as_str(),
            "</p></li></table>x",
            "<p",
            "<h1 id='a b'>",
            "<table><td>x",
            "<ul><li><table><tr><td><ul><li>x",
            "\0<\0>",
        ] {
            read_html(html);
        }
        assert!(read_html("<meta name=ROBOTS content='NoIndex, follow'>").is_noindex);
    }
}
