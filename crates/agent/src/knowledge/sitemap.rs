//! Which pages a site says that it has.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use html5gum::{Token, Tokenizer};
use url::Url;

/// The most of a sitemap, unpacked.
pub(super) const MAX_SITEMAP: usize = 20 * 1024 * 1024;

/// What a sitemap lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Other sitemaps.
    pub(super) sitemaps: Vec<Url>,
    /// Pages.
    pub(super) pages: Vec<Url>,
}

/// Why it lists nothing. Its reader is the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SitemapError {
    #[error("the sitemap is packed in a way that cannot be undone")]
    Broken,
    #[error("the sitemap is larger than {} MiB unpacked", MAX_SITEMAP / 1024 / 1024)]
    TooLarge,
    #[error("there is no sitemap: it names no address in `<loc>`")]
    NoSitemap,
}

/// Reads a sitemap, or a list of them, packed or not.
pub(super) fn read_sitemap(bytes: &[u8]) -> Result<Listed, SitemapError> {
    let unpacked;
    let bytes = if bytes.starts_with(b"\x1f\x8b") {
        unpacked = unpack(bytes)?;
        &unpacked
    } else {
        bytes
    };
    let text = String::from_utf8_lossy(bytes);
    let mut listed = Listed::default();
    let (mut in_sitemap, mut loc) = (false, None::<String>);
    for token in Tokenizer::new(&*text).map_while(Result::ok) {
        match token {
            // Pictures and videos have a `loc` of their own, with a prefix.
            Token::StartTag(tag) => match &tag.name[..] {
                b"sitemap" => in_sitemap = true,
                b"url" => in_sitemap = false,
                b"loc" => loc = Some(String::new()),
                _ => (),
            },
            Token::String(text) => {
                if let Some(loc) = &mut loc {
                    loc.push_str(&String::from_utf8_lossy(&text));
                }
            }
            // What XML calls CDATA, HTML takes for a comment.
            Token::Comment(text) => {
                let text = String::from_utf8_lossy(&text);
                let data = text
                    .strip_prefix("[CDATA[")
                    .and_then(|it| it.strip_suffix("]]"));
                if let (Some(loc), Some(data)) = (&mut loc, data) {
                    loc.push_str(data);
                }
            }
            Token::EndTag(tag) if &tag.name[..] == b"loc" => {
                let url = loc.take().and_then(|loc| Url::parse(loc.trim()).ok());
                let list = if in_sitemap {
                    &mut listed.sitemaps
                } else {
                    &mut listed.pages
                };
                list.extend(url);
            }
            Token::EndTag(_) | Token::Doctype(_) | Token::Error(_) => (),
        }
    }
    if listed == Listed::default() {
        return Err(SitemapError::NoSitemap);
    }
    Ok(listed)
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, SitemapError> {
    let mut unpacked = Vec::new();
    let most = u64::try_from(MAX_SITEMAP + 1).unwrap_or(u64::MAX);
    MultiGzDecoder::new(bytes)
        .take(most)
        .read_to_end(&mut unpacked)
        .map_err(|_| SitemapError::Broken)?;
    if unpacked.len() > MAX_SITEMAP {
        return Err(SitemapError::TooLarge);
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const PAGES: &str = r#"<?xml version="1.0"?><urlset xmlns="…"><url><loc>
        https://shop.example/a?x=1&amp;y=2 </loc><lastmod>2026-01-01</lastmod>
        <image:image><image:loc>https://shop.example/a.png</image:loc></image:image></url>
        <url><loc><![CDATA[https://shop.example/b]]></loc></url><url><loc>nonsense</loc></url>
        </urlset>"#;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn pages_are_read_packed_and_unpacked_and_pictures_are_none() {
        let urls = ["https://shop.example/a?x=1&y=2", "https://shop.example/b"];
        let expected = Listed {
            sitemaps: vec![],
            pages: urls.map(|url| Url::parse(url).unwrap()).into(),
        };

        assert_eq!(read_sitemap(PAGES.as_bytes()).unwrap(), expected);
        assert_eq!(read_sitemap(&packed(PAGES.as_bytes())).unwrap(), expected);
    }

    #[test]
    fn a_list_of_sitemaps_is_told_from_one_of_pages() {
        let index = "<sitemapindex><sitemap><loc>https://shop.example/s.xml</loc></sitemap>";

        let listed = read_sitemap(index.as_bytes()).unwrap();

        assert_eq!((listed.sitemaps.len(), listed.pages.len()), (1, 0));
    }

    #[test]
    fn g8_what_grows_when_it_is_unpacked_is_refused() {
        let bomb = packed(&vec![b' '; MAX_SITEMAP + 1]);
        assert!(bomb.len() < 100_000);

        assert_eq!(read_sitemap(&bomb), Err(SitemapError::TooLarge));
        assert_eq!(read_sitemap(b"\x1f\x8bnonsense"), Err(SitemapError::Broken));
        assert_eq!(read_sitemap(b"<html>"), Err(SitemapError::NoSitemap));
    }
}
