//! The shop alone, to look at its pages. The chat stays away: there is no maitred beside it.

use std::path::PathBuf;

use maitred_demo::{Shop, ShopConfig};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let shop = Shop::new(ShopConfig {
        public_url: "http://localhost:7071".to_owned(),
        maitred_url: "http://127.0.0.1:7070".to_owned(),
        agent: "agt_sample".to_owned(),
        environment: "production".to_owned(),
        key_id: "key_sample".to_owned(),
        secret: "mtd_live_a_secret_that_signs_nothing_of_value".to_owned(),
        data: PathBuf::from("target/shop-data"),
    })?;
    let listener = tokio::net::TcpListener::bind("localhost:7071").await?;
    axum::serve(listener, shop.router()).await?;
    Ok(())
}
