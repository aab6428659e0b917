//! `GET /api/customers/{customer}/orders`: what the agent's Action calls.
//!
//! There is no session and no API key here. The assertion alone says who asks,
//! and that customer's orders are all that it opens.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    App,
    assertion::{ActionCall, AssertionError},
    orders::Order,
};

#[cfg(test)]
mod tests;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    number: Option<String>,
}

#[derive(Serialize)]
struct OrderJson<'a> {
    number: &'a str,
    status: &'a str,
    placed_on: Date,
    items: &'a [String],
    total: String,
    carrier: Option<&'a str>,
    tracking: Option<&'a str>,
    expected_on: Option<Date>,
    updated_on: Date,
}

impl<'a> From<&'a Order> for OrderJson<'a> {
    fn from(order: &'a Order) -> Self {
        Self {
            number: order.number,
            status: order.status.name(),
            placed_on: order.placed_on,
            items: &order.items,
            total: order.total.to_string(),
            carrier: order.parcel.map(|parcel| parcel.carrier),
            tracking: order.parcel.map(|parcel| parcel.tracking),
            expected_on: order.expected_on,
            updated_on: order.updated_on,
        }
    }
}

/// The customer's orders, newest first, or the one with this number.
pub(crate) async fn orders(
    State(shop): State<Arc<App>>,
    method: Method,
    uri: Uri,
    Path(customer): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, AssertionError> {
    let call = ActionCall {
        assertion: headers
            .get("maitred-assertion")
            .and_then(|value| value.to_str().ok()),
        method: method.as_str(),
        url: &format!("{}{uri}", shop.origins.public_url),
        body: &body,
        action: "order_status",
        customer: &customer,
    };
    shop.verifier.verify(&call).await?;

    let is_wanted = |order: &&Order| {
        wanted
            .number
            .as_deref()
            .is_none_or(|number| order.number == number)
    };
    let found: Vec<OrderJson> = shop
        .orders
        .of(&customer)
        .filter(is_wanted)
        .map(OrderJson::from)
        .collect();
    if found.is_empty() && wanted.number.is_some() {
        // Someone else's order and one that never was look the same.
        return Ok((
            StatusCode::NOT_FOUND,
            Json(json!({ "error": "no such order" })),
        )
            .into_response());
    }
    Ok(Json(json!({ "orders": found })).into_response())
}

impl IntoResponse for AssertionError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::KeysUnavailable(cause) => {
                tracing::warn!(
                    error = format!("{cause:?}"),
                    "cannot fetch the keys of assertions"
                );
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Missing
            | Self::Rejected(_)
            | Self::OtherType
            | Self::UnknownKey
            | Self::Mismatch(_)
            | Self::AssuranceTooLow(_)
            | Self::Replayed => StatusCode::UNAUTHORIZED,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}
