//! The orders of the three test users.
//!
//! Numbers, owners and states are fixed, so that documentation and tests can
//! name them. Dates count back from the day the shop started, so that a parcel
//! is always on its way.

use jiff::{ToSpan, civil::Date};

use crate::catalog::{Cents, DELIVERY, FREE_DELIVERY_FROM, product};

/// One order, with its dates worked out.
pub(crate) struct Order {
    pub(crate) customer: &'static str,
    pub(crate) number: &'static str,
    pub(crate) status: Status,
    pub(crate) placed_on: Date,
    /// Names, with the quantity in front where it is not one.
    pub(crate) items: Vec<String>,
    pub(crate) total: Cents,
    pub(crate) parcel: Option<Parcel>,
    /// When it should arrive, while it has not.
    pub(crate) expected_on: Option<Date>,
    /// The day of its last change: sent, delivered, cancelled, paid back.
    pub(crate) updated_on: Date,
}

/// Where an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Processing,
    Shipped,
    Delivered,
    Cancelled,
    Refunded,
}

impl Status {
    /// What the orders API says.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }

    /// What the orders page says.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Processing => "Being packed",
            Self::Shipped => "On its way",
            Self::Delivered => "Delivered",
            Self::Cancelled => "Cancelled",
            Self::Refunded => "Refunded",
        }
    }
}

/// What the carrier gave us.
#[derive(Clone, Copy)]
pub(crate) struct Parcel {
    pub(crate) carrier: &'static str,
    pub(crate) tracking: &'static str,
}

/// Every order there is.
pub(crate) struct Orders(Vec<Order>);

impl Orders {
    /// The shop's books as they stand on `today`.
    pub(crate) fn as_of(today: Date) -> Self {
        let mut orders: Vec<Order> = ROWS.iter().map(|row| row.on(today)).collect();
        orders.sort_by_key(|order| std::cmp::Reverse(order.placed_on));
        Self(orders)
    }

    /// This customer's orders, newest first.
    pub(crate) fn of(&self, customer: &str) -> impl Iterator<Item = &Order> {
        self.0
            .iter()
            .filter(move |order| order.customer == customer)
    }
}

/// An order in days before (or, negative, after) the day it is looked at.
struct Row {
    customer: &'static str,
    number: &'static str,
    status: Status,
    items: &'static [(u32, &'static str)],
    placed: i32,
    updated: i32,
    expected: Option<i32>,
    parcel: Option<Parcel>,
}

impl Row {
    fn on(&self, today: Date) -> Order {
        let day = |days_ago: i32| today.saturating_sub(days_ago.days());
        let lines = || {
            self.items.iter().map(|(quantity, slug)| {
                (
                    *quantity,
                    product(slug).expect("a test looks up every slug of `ROWS`"),
                )
            })
        };
        let goods = Cents(
            lines()
                .map(|(quantity, product)| quantity * product.price.0)
                .sum(),
        );
        let delivery = if goods < FREE_DELIVERY_FROM {
            DELIVERY
        } else {
            Cents(0)
        };
        Order {
            customer: self.customer,
            number: self.number,
            status: self.status,
            placed_on: day(self.placed),
            items: lines()
                .map(|(quantity, product)| match quantity {
                    1 => product.name.to_owned(),
                    _ => format!("{quantity} × {}", product.name),
                })
                .collect(),
            total: Cents(goods.0 + delivery.0),
            parcel: self.parcel,
            expected_on: self.expected.map(day),
            updated_on: day(self.updated),
        }
    }
}

const fn fellpost(tracking: &'static str) -> Option<Parcel> {
    Some(Parcel {
        carrier: "Fellpost",
        tracking,
    })
}

const SARAH: &str = "cus_7301";
const TOM: &str = "cus_7302";
const KIM: &str = "cus_7303";

static ROWS: [Row; 8] = [
    Row {
        customer: SARAH,
        number: "A-10001",
        status: Status::Shipped,
        items: &[(1, "ridgeline-daypack")],
        placed: 4,
        updated: 2,
        expected: Some(-1),
        parcel: fellpost("FP447100932IE"),
    },
    Row {
        customer: SARAH,
        number: "A-09874",
        status: Status::Delivered,
        items: &[(1, "copperline-kettle"), (4, "camp-enamel-mug")],
        placed: 41,
        updated: 37,
        expected: None,
        parcel: fellpost("FP446208517IE"),
    },
    Row {
        customer: SARAH,
        number: "A-09655",
        status: Status::Cancelled,
        items: &[(1, "willow-picnic-basket")],
        placed: 96,
        updated: 95,
        expected: None,
        parcel: None,
    },
    Row {
        customer: SARAH,
        number: "A-09212",
        status: Status::Refunded,
        items: &[(1, "merino-walking-socks")],
        placed: 171,
        updated: 152,
        expected: None,
        parcel: fellpost("FP441937760IE"),
    },
    Row {
        customer: TOM,
        number: "A-10003",
        status: Status::Processing,
        items: &[(2, "harbour-lantern")],
        placed: 1,
        updated: 1,
        expected: Some(-4),
        parcel: None,
    },
    Row {
        customer: TOM,
        number: "A-09921",
        status: Status::Delivered,
        items: &[(1, "longday-flask")],
        placed: 29,
        updated: 25,
        expected: None,
        parcel: fellpost("FP446719043IE"),
    },
    Row {
        customer: KIM,
        number: "A-09990",
        status: Status::Shipped,
        items: &[(1, "tarn-wool-blanket"), (1, "merino-walking-socks")],
        placed: 6,
        updated: 3,
        expected: Some(0),
        parcel: fellpost("FP447083316IE"),
    },
    Row {
        customer: KIM,
        number: "A-09760",
        status: Status::Cancelled,
        items: &[(1, "ridgeline-daypack")],
        placed: 63,
        updated: 62,
        expected: None,
        parcel: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::users;

    const TODAY: Date = Date::constant(2026, 11, 16);

    #[test]
    fn every_order_belongs_to_a_user_and_consists_of_things_we_sell() {
        for row in &ROWS {
            assert!(
                users().iter().any(|user| user.id == row.customer),
                "{}",
                row.number
            );
            for (_, slug) in row.items {
                assert!(product(slug).is_some(), "{slug}");
            }
        }
    }

    #[test]
    fn sarahs_newest_order_is_on_its_way() {
        let orders = Orders::as_of(TODAY);
        let newest = orders.of(SARAH).next().unwrap();

        assert_eq!((newest.number, newest.status), ("A-10001", Status::Shipped));
        assert_eq!(newest.placed_on, Date::constant(2026, 11, 12));
        assert_eq!(newest.expected_on, Some(Date::constant(2026, 11, 17)));
    }

    #[test]
    fn a_total_includes_delivery_below_sixty_euros_only() {
        let orders = Orders::as_of(TODAY);
        let totals: Vec<_> = orders
            .of(SARAH)
            .map(|order| order.total.to_string())
            .collect();

        assert_eq!(totals, ["€89.00", "€94.00", "€64.00", "€28.90"]);
    }
}
