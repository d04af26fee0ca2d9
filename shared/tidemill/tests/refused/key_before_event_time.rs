use tidemill::{Json, Pipeline};

#[derive(serde::Deserialize)]
struct Flight {
    origin: String,
}

fn main() {
    let _ = Pipeline::named("flights")
        .source(Json::<Flight>::new())
        .key_by(|f| f.origin.clone());
}
