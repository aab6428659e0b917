//! The definition of the shop's one Action, as the shop hands it to maitred.

/// The file for `maitred action import`, for a shop at `http://localhost:7071`.
pub const ORDER_STATUS_ACTION: &str = include_str!("../order_status.json");

/// The same, for a shop at `public_url`.
pub fn order_status_action(public_url: &str) -> String {
    ORDER_STATUS_ACTION.replace("http://localhost:7071", public_url.trim_end_matches('/'))
}
