//! The route table, read as it is written.
//!
//! A router cannot be asked for its routes, and a second list would be right
//! only until somebody adds a route to the first.

use axum::http::Method;

const TABLE: &str = include_str!("../../src/http.rs");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One method of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
}

/// Every route in the table.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for line in TABLE.split(".route(").skip(1) {
        let (path, handlers) = line
            .trim_start()
            .strip_prefix('"')
            .and_then(|rest| rest.split_once('"'))
            .expect("a route begins with its path");
        // As far as this route goes: what follows is another one's.
        let handlers = handlers.split(".fallback(").next().unwrap_or(handlers);
        for method in METHODS {
            let called = handlers
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '(' && c != ':')
                .any(|word| word.starts_with(&format!("{method}(")));
            if called {
                routes.push(Route {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.to_owned(),
                });
            }
        }
    }
    routes
}

/// Those of visitors.
pub(crate) fn visitor_routes() -> Vec<Route> {
    let routes: Vec<Route> = routes()
        .into_iter()
        .filter(|route| route.path.starts_with("/v1/"))
        .collect();
    assert!(routes.len() >= 10, "the table is not read any more");
    routes
}

/// Those of operators.
pub(crate) fn operator_routes() -> Vec<Route> {
    let routes: Vec<Route> = routes()
        .into_iter()
        .filter(|route| route.path.starts_with("/api/"))
        .collect();
    assert!(routes.len() >= 12, "the table is not read any more");
    routes
}

#[test]
fn the_table_is_read_with_all_methods_of_a_path() {
    let methods = |path: &str| -> Vec<String> {
        let found = routes().into_iter().filter(|route| route.path == path);
        found.map(|route| route.method.to_string()).collect()
    };

    assert_eq!(methods("/v1/session"), ["GET", "DELETE"]);
    assert_eq!(methods("/v1/conversations"), ["GET", "POST"]);
    assert_eq!(methods("/v1/events"), ["GET"]);
    assert_eq!(methods("/healthz"), ["GET"]);
}
