//! The definition of the shop's one Action, as the shop hands it to maitred.

/// The file for `maitred action import`, for a shop at `http://localhost:7071`.
pub const ORDER_STATUS_ACTION: &str = include_str!("../order_status.json");

/// The same, for a shop at `public_url`.
pub fn order_status_action(public_url: &str) -> String {
    ORDER_STATUS_ACTION.replace("http://localhost:7071", public_url.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    use minijinja::{Environment, value::Serde};
    use serde_json::{Value, json};

    fn definition() -> Value {
        serde_json::from_str(&order_status_action("https://shop.example/")).unwrap()
    }

    /// What the template says about these orders.
    fn says(orders: Value) -> String {
        let action = definition();
        let template = action["template"].as_str().unwrap();
        let result = minijinja::Value::from(Serde(json!({ "orders": orders })));
        Environment::new()
            .render_str(template, minijinja::context! { result })
            .unwrap()
    }

    fn order(number: &str, status: &str) -> Value {
        let shipped = status == "shipped";
        json!({
            "number": number,
            "status": status,
            "placed_on": "2026-11-12",
            "items": ["Ridgeline daypack", "2 × Camp enamel mug"],
            "total": "€113.00",
            "carrier": shipped.then_some("Fellpost"),
            "tracking": shipped.then_some("FP447100932IE"),
            "expected_on": shipped.then_some("2026-11-17"),
            "updated_on": "2026-11-14",
        })
    }

    #[test]
    fn the_definition_is_json_and_calls_the_shop_it_is_made_for() {
        let url = "https://shop.example/api/customers/{{user.id}}/orders";

        assert_eq!(
            definition()["http"]["url"],
            json!({ "production": url, "staging": url })
        );
    }

    #[test]
    fn an_order_on_its_way_is_told_with_its_tracking_number() {
        assert_eq!(
            says(json!([order("A-10001", "shipped")])),
            "Your order **A-10001** is on its way and should reach you by 17 November. \
             Fellpost carries it under the tracking number FP447100932IE.\n\n\
             You placed it on 12 November: Ridgeline daypack, 2 × Camp enamel mug, €113.00.",
        );
    }

    #[test]
    fn every_other_state_has_its_words() {
        let first_lines =
            ["processing", "delivered", "cancelled", "refunded", "lost"].map(|status| {
                says(json!([order("A-1", status)]))
                    .lines()
                    .next()
                    .unwrap()
                    .to_owned()
            });

        assert_eq!(
            first_lines,
            [
                "Your order **A-1** is being packed.",
                "Your order **A-1** was delivered on 14 November.",
                "Your order **A-1** was cancelled on 14 November, and you were not charged.",
                "Your order **A-1** came back to us and was refunded on 14 November.",
                "Your order **A-1** has the status “lost”.",
            ],
        );
    }

    #[test]
    fn earlier_orders_are_named_and_no_orders_are_said() {
        let two = says(json!([order("A-2", "shipped"), order("A-1", "delivered")]));

        assert!(
            two.ends_with("\n\nEarlier orders: A-1 (delivered)."),
            "{two}"
        );
        assert_eq!(says(json!([])), "You have not ordered anything yet.");
    }
}
