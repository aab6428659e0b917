//! The audit log.

use axum::Json;

use super::{Operator, Part, wire::AuditItem};
use crate::http::{error::ApiError, visitor::Query, wire::List};

/// `GET /api/audit`: the newest first; with a key for one agent, what was done to it.
pub(in crate::http) async fn list(
    operator: Operator,
    Query(part): Query<Part>,
) -> Result<Json<List<AuditItem>>, ApiError> {
    let page = operator
        .store
        .audit_log(operator.only(), part.cursor()?, part.limit()?)
        .await?;
    Ok(Json(List {
        items: page.items.into_iter().map(Into::into).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}
