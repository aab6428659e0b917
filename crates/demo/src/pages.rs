//! The pages that people see.
//!
//! All of them share one layout, which carries the chat's embed snippet and the
//! forms to log in and out. The policy in [`Pages::show`] is as strict as a
//! careful site's: the chat has to work under it.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use minijinja::{AutoEscape, Environment, Value, context};

use crate::{
    App,
    catalog::{FREE_DELIVERY_FROM, PRODUCTS, Product},
    help::{help_pages, render},
    login::LoggedIn,
    orders::{Order, Status},
    sessions::random_text,
    users::TestUser,
    users::users,
};

/// Which part of the shop a page belongs to: marked in its navigation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    Shelf,
    Help,
    Orders,
    Login,
    Nowhere,
}

/// The templates, and what every page shows.
pub(crate) struct Pages {
    templates: Environment<'static>,
    /// The same on all pages: where the chat comes from and which agent it is.
    chat: Value,
    maitred_url: String,
}

impl Pages {
    pub(crate) fn new(
        maitred_url: &str,
        agent: &str,
        environment: &str,
    ) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        for (name, source) in [
            ("layout.html", include_str!("../templates/layout.html")),
            (
                "login_form.html",
                include_str!("../templates/login_form.html"),
            ),
            ("home.html", include_str!("../templates/home.html")),
            ("product.html", include_str!("../templates/product.html")),
            (
                "help_index.html",
                include_str!("../templates/help_index.html"),
            ),
            ("help.html", include_str!("../templates/help.html")),
            ("login.html", include_str!("../templates/login.html")),
            ("orders.html", include_str!("../templates/orders.html")),
            (
                "not_found.html",
                include_str!("../templates/not_found.html"),
            ),
        ] {
            templates.add_template(name, source)?;
        }
        let chat = context! { maitred_url, agent, environment };
        Ok(Self {
            templates,
            chat,
            maitred_url: maitred_url.to_owned(),
        })
    }

    /// Renders a page for whoever is logged in.
    pub(crate) fn show(
        &self,
        template: &str,
        user: Option<&TestUser>,
        place: Where,
        values: Value,
    ) -> Result<Response, PageError> {
        let nonce = random_text()?;
        let page = context! {
            chat => &self.chat,
            nonce => &nonce,
            user => user.map(|user| context! { name => user.shown_name(), email => user.email }),
            place => match place {
                Where::Shelf => "shelf",
                Where::Help => "help",
                Where::Orders => "orders",
                Where::Login => "login",
                Where::Nowhere => "",
            },
            accounts => users().iter().map(account).collect::<Vec<_>>(),
            ..values
        };
        let html = self.templates.get_template(template)?.render(page)?;
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; \
             img-src 'self' data:; connect-src 'self'; frame-src {}; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
            self.maitred_url,
        );
        let headers: [(HeaderName, &str); 4] = [
            (header::CONTENT_SECURITY_POLICY, &policy),
            // After a logout, "Back" must not show what was someone's own.
            (
                header::CACHE_CONTROL,
                if place == Where::Orders {
                    "private, no-store"
                } else {
                    "private, no-cache"
                },
            ),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        ];
        Ok((headers, Html(html)).into_response())
    }
}

/// Why there is no page. The visitor learns that it is our fault, the log the rest.
pub(crate) struct PageError(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        tracing::error!(error = format!("{:#}", self.0), "the shop cannot answer");
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The shop has a problem. Please try again later.",
        )
            .into_response()
    }
}

/// `GET /`
pub(crate) async fn home(
    State(shop): State<Arc<App>>,
    LoggedIn(user): LoggedIn,
) -> Result<Response, PageError> {
    let products: Vec<Value> = PRODUCTS.iter().map(on_the_shelf).collect();
    shop.pages
        .show("home.html", user, Where::Shelf, context! { products })
}

/// `GET /products/{slug}`
pub(crate) async fn product(
    State(shop): State<Arc<App>>,
    LoggedIn(user): LoggedIn,
    Path(slug): Path<String>,
) -> Result<Response, PageError> {
    let Some(product) = crate::catalog::product(&slug) else {
        return no_such_page(&shop, user);
    };
    let others: Vec<Value> = PRODUCTS
        .iter()
        .filter(|other| other.slug != product.slug)
        .take(4)
        .map(on_the_shelf)
        .collect();
    let values = context! {
        product => on_the_shelf(product),
        description => product.description,
        details => product.details.iter().map(|&(what, text)| context! { what, text }).collect::<Vec<_>>(),
        delivered_free => product.price >= FREE_DELIVERY_FROM,
        others,
    };
    shop.pages.show("product.html", user, Where::Shelf, values)
}

/// `GET /help`
pub(crate) async fn help_index(
    State(shop): State<Arc<App>>,
    LoggedIn(user): LoggedIn,
) -> Result<Response, PageError> {
    let pages: Vec<Value> = help_pages()
        .iter()
        .map(|page| context! { path => page.path, title => page.title, summary => page.summary })
        .collect();
    shop.pages
        .show("help_index.html", user, Where::Help, context! { pages })
}

/// `GET /help/{page}`
pub(crate) async fn help_page(
    State(shop): State<Arc<App>>,
    LoggedIn(user): LoggedIn,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let Some(page) = help_pages()
        .iter()
        .find(|page| page.path.strip_prefix("/help/") == Some(&name))
    else {
        return no_such_page(&shop, user);
    };
    let pages: Vec<Value> = help_pages()
        .iter()
        .map(|other| context! { path => other.path, title => other.title, here => other.path == page.path })
        .collect();
    let values = context! { title => page.title, body => render(page), pages };
    shop.pages.show("help.html", user, Where::Help, values)
}

/// `GET /orders`: the orders of whoever is logged in, else a form to log in with.
pub(crate) async fn orders(
    State(shop): State<Arc<App>>,
    LoggedIn(user): LoggedIn,
) -> Result<Response, PageError> {
    let orders: Option<Vec<Value>> =
        user.map(|user| shop.orders.of(user.id).map(order_card).collect());
    shop.pages.show(
        "orders.html",
        user,
        Where::Orders,
        context! { orders, next => "/orders" },
    )
}

/// Anything else.
pub(crate) async fn not_found(
    State(shop): State<Arc<App>>,
    LoggedIn(user): LoggedIn,
) -> Result<Response, PageError> {
    no_such_page(&shop, user)
}

fn no_such_page(shop: &App, user: Option<&TestUser>) -> Result<Response, PageError> {
    let mut response = shop
        .pages
        .show("not_found.html", user, Where::Nowhere, context! {})?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

fn on_the_shelf(product: &Product) -> Value {
    context! {
        path => format!("/products/{}", product.slug),
        name => product.name,
        tagline => product.tagline,
        price => product.price.to_string(),
        art => product.art,
    }
}

fn order_card(order: &Order) -> Value {
    let day = |date: jiff::civil::Date| date.strftime("%-d %b %Y").to_string();
    // The carrier's number stays interesting for as long as the parcel can be looked for.
    let parcel = order
        .parcel
        .filter(|_| matches!(order.status, Status::Shipped | Status::Delivered));
    context! {
        number => order.number,
        status => order.status.name(),
        label => order.status.label(),
        placed_on => day(order.placed_on),
        updated_on => day(order.updated_on),
        expected_on => order.expected_on.map(day),
        items => &order.items,
        total => order.total.to_string(),
        carrier => parcel.map(|parcel| parcel.carrier),
        tracking => parcel.map(|parcel| parcel.tracking),
    }
}

/// A test account, as the login form lists it.
fn account(user: &TestUser) -> Value {
    context! { label => user.name.unwrap_or("No name given"), email => user.email, password => user.password }
}
