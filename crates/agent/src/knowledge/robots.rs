//! What a site lets robots read (RFC 9309).

use url::Url;

/// More than any site needs.
pub(super) const MAX_ROBOTS: usize = 512 * 1024;

/// The rules of one site, for us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Robots {
    /// Whether paths that match may be read, and what they match.
    rules: Vec<(bool, String)>,
}

impl Robots {
    /// Those for a robot of that name: of the groups that name it, or else of those
    /// for everybody.
    pub fn parse(text: &str, robot: &str) -> Self {
        let (mut ours, mut everybodys) = (None, Vec::new());
        let (mut names, mut in_rules) = (Vec::new(), false);
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((field, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match field.trim().to_ascii_lowercase().as_str() {
                "user-agent" => {
                    if in_rules {
                        names.clear();
                        in_rules = false;
                    }
                    names.push(value.to_ascii_lowercase());
                    if names.iter().any(|name| is_called(name, robot)) {
                        ours.get_or_insert_with(Vec::new);
                    }
                }
                field @ ("allow" | "disallow") => {
                    in_rules = true;
                    // Nothing is matched by nothing.
                    if value.is_empty() {
                        continue;
                    }
                    let rule = (field == "allow", value.to_owned());
                    if names.iter().any(|name| is_called(name, robot)) {
                        ours.get_or_insert_with(Vec::new).push(rule.clone());
                    }
                    if names.iter().any(|name| name == "*") {
                        everybodys.push(rule);
                    }
                }
                _ => (),
            }
        }
        Self {
            rules: ours.unwrap_or(everybodys),
        }
    }

    /// Whether this page may be read: the longest rule that matches says so, and of
    /// two that are as long the kinder one.
    pub fn allows(&self, url: &Url) -> bool {
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            path = format!("{path}?{query}");
        }
        let matching = self.rules.iter().filter(|(_, rule)| matches(rule, &path));
        let longest = matching.max_by_key(|(allows, rule)| (rule.len(), *allows));
        longest.is_none_or(|(allows, _)| *allows)
    }
}

fn is_called(name: &str, robot: &str) -> bool {
    let name = name.split('/').next().unwrap_or_default().trim();
    name == robot
}

/// `*` stands for anything, and `$` at the end for the end.
fn matches(rule: &str, path: &str) -> bool {
    let (rule, to_the_end) = match rule.strip_suffix('$') {
        Some(rule) => (rule, true),
        None => (rule, false),
    };
    let mut parts = rule.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        last = Some(part);
        rest = &rest[at + part.len()..];
    }
    match last {
        // The last part may be found again further on.
        Some(last) if to_the_end => rest.is_empty() || path.ends_with(last),
        Some(_) => true,
        None => !to_the_end || rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(robots: &str, path: &str) -> bool {
        let url = Url::parse("https://shop.example").unwrap();
        Robots::parse(robots, "maitred").allows(&url.join(path).unwrap())
    }

    #[test]
    fn the_longest_rule_decides_and_the_kinder_of_two() {
        let robots = "User-agent: *\nDisallow: /a\nAllow: /a/b # but\nDisallow:\n\
                      Disallow: /*.pdf$\nDisallow: /q?x=\nAllow: /same\nDisallow: /same";
        for (path, allowed) in [
            ("/", true),
            ("/a", false),
            ("/a/x", false),
            ("/a/b/c", true),
            ("/m.pdf", false),
            ("/m.pdf.html", true),
            ("/q?x=1", false),
            ("/q?y=1", true),
            ("/same", true),
        ] {
            assert_eq!(allows(robots, path), allowed, "{path}");
        }
    }

    #[test]
    fn rules_for_us_stand_in_place_of_those_for_everybody() {
        let robots = "User-agent: *\nDisallow: /\n\nUser-Agent: other\nUser-agent: Maitred/1.0\n\
                      Disallow: /private\n\nuser-agent: third\nDisallow: /help";

        assert!(allows(robots, "/help"));
        assert!(!allows(robots, "/private/x"));
        assert!(!allows(
            "User-agent: maitredx\nDisallow: /\nUser-agent: *\nDisallow: /x",
            "/x"
        ));
        assert!(allows(
            "User-agent: *\nDisallow: /\nUser-agent: maitred\nAllow: /",
            "/x"
        ));
        assert!(allows("", "/x"));
    }
}
