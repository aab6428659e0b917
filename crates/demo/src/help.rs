//! The help pages: Markdown files, shown by the shop and read by its agent.

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd, html};

/// One page of the shop's help.
pub struct HelpPage {
    /// Where the shop serves it: `/help/shipping`.
    pub path: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it is about, in a line.
    pub summary: &'static str,
    /// The whole page. The first line is the title as a heading.
    pub markdown: &'static str,
}

static PAGES: [HelpPage; 6] = [
    HelpPage {
        path: "/help/shipping",
        title: "Shipping and delivery",
        summary: "Costs, times, tracking, and where we deliver.",
        markdown: include_str!("../help/shipping.md"),
    },
    HelpPage {
        path: "/help/returns",
        title: "Returns and refunds",
        summary: "60 days to change your mind, and how the money comes back.",
        markdown: include_str!("../help/returns.md"),
    },
    HelpPage {
        path: "/help/payment",
        title: "Payment and invoices",
        summary: "Ways to pay, when we charge, and VAT invoices.",
        markdown: include_str!("../help/payment.md"),
    },
    HelpPage {
        path: "/help/gift-cards",
        title: "Gift cards",
        summary: "Amounts, how they arrive, and how to redeem one.",
        markdown: include_str!("../help/gift-cards.md"),
    },
    HelpPage {
        path: "/help/warranty",
        title: "Warranty, repairs and care",
        summary: "Five years on everything, spare parts, and how to look after it.",
        markdown: include_str!("../help/warranty.md"),
    },
    HelpPage {
        path: "/help/contact",
        title: "Contact and opening hours",
        summary: "Reach a person, visit the shop, change your account.",
        markdown: include_str!("../help/contact.md"),
    },
];

/// All help pages, in the order of the help index.
pub fn help_pages() -> &'static [HelpPage] {
    &PAGES
}

/// The page as HTML. Each section's heading has an id and a link to itself.
pub(crate) fn render(page: &HelpPage) -> String {
    let mut events: Vec<Event<'_>> = Parser::new(page.markdown).collect();
    let mut begins = 0;
    for here in 0..events.len() {
        if matches!(events[here], Event::Start(Tag::Heading { .. })) {
            begins = here;
        }
        if events[here] == Event::End(TagEnd::Heading(HeadingLevel::H2)) {
            let slug = slug(&text_of(&events[begins..here]));
            if let Event::Start(Tag::Heading { id, .. }) = &mut events[begins] {
                *id = Some(slug.clone().into());
            }
            let link = format!(
                r##" <a class="anchor" href="#{slug}" aria-label="Link to this section">#</a></h2>"##
            );
            events[here] = Event::Html(format!("{link}\n").into());
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    out
}

fn text_of(events: &[Event<'_>]) -> String {
    let mut text = String::new();
    for event in events {
        if let Event::Text(piece) | Event::Code(piece) = event {
            text.push_str(piece);
        }
    }
    text
}

/// Lower case, with one hyphen for each run of anything but letters and digits.
fn slug(title: &str) -> String {
    let words: Vec<String> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_begins_with_its_title_and_has_sections() {
        for page in help_pages() {
            let first = page.markdown.lines().next().unwrap();

            assert_eq!(first, format!("# {}", page.title));
            assert!(page.markdown.matches("\n## ").count() >= 3, "{}", page.path);
        }
    }

    #[test]
    fn a_sections_heading_can_be_linked_to() {
        let page = HelpPage {
            path: "/help/x",
            title: "X",
            summary: "",
            markdown: "# X\n\n## How long does it take?\n\nLong.",
        };

        assert_eq!(
            render(&page),
            "<h1>X</h1>\n<h2 id=\"how-long-does-it-take\">How long does it take? \
             <a class=\"anchor\" href=\"#how-long-does-it-take\" aria-label=\"Link to this section\">#</a></h2>\n<p>Long.</p>\n",
        );
    }
}
