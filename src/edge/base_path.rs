//! A gateway below a path: takes a request as a proxy passed it on, with the path of the base URL in front or without,
//! and gives it to the routes, which know nothing of it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use http::Uri;
use http::uri::PathAndQuery;
use tower::ServiceExt;

use super::public_url::{PublicUrl, peer};

/// The routes, reached with the path of the base URL before theirs as well as without.
pub fn strip_base(router: Router, public_url: Arc<PublicUrl>) -> Router {
    if !public_url.may_have_path() {
        return router;
    }
    // A layer of the router itself would come too late: it runs when the route is chosen.
    Router::new().fallback_service(router.map_request(move |mut request: Request| {
        let base = public_url.path(request.headers(), peer(request.extensions()));
        if let Some(uri) = without(request.uri(), &base) {
            *request.uri_mut() = uri;
        }
        request
    }))
}

/// The URI without `base` at the front of its path; `None` if that is not there, or no path.
fn without(uri: &Uri, base: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(base).filter(|_| !base.is_empty())?;
    let rest = if rest.is_empty() { "/" } else { rest };
    if !rest.starts_with('/') {
        return None;
    }
    let whole = match uri.query() {
        Some(query) => format!("{rest}?{query}").parse::<PathAndQuery>(),
        None => rest.parse(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(whole.ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::StatusCode;
    use http_body_util::BodyExt;
    use url::Url;

    use super::*;
    use crate::edge::public_url::Proxies;

    #[test]
    fn only_whole_segments_go_and_the_rest_stays() {
        for (uri, base, rest) in [
            ("/x/a2a", "/x", Some("/a2a")),
            ("/x", "/x", Some("/")),
            ("/x?q=/x", "/x", Some("/?q=/x")),
            ("/x/", "/x", Some("/")),
            ("/x/y/x/y/a?b=c&d", "/x/y", Some("/x/y/a?b=c&d")),
            ("/x//a", "/x", Some("//a")),
            ("http://h:1/x/a", "/x", Some("http://h:1/a")),
            ("/xy/a", "/x", None),
            ("/a2a", "/x", None),
            ("/X/a", "/x", None),
            ("/a2a", "", None),
            ("*", "/x", None),
        ] {
            let found = without(&uri.parse().unwrap(), base).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), rest, "{uri} without {base}");
        }
    }

    async fn answer(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn c20_both_kinds_of_proxies_reach_every_route() {
        let routes = Router::new()
            .route("/", get(async || "root"))
            .route("/a/{id}", get(async |path: axum::extract::Path<String>| path.0));
        let url = Url::parse("https://h/agents/a").unwrap();
        let below = PublicUrl::new(Some(&url), Proxies::default(), "http://h".to_owned());
        let router = strip_base(routes.clone(), Arc::new(below));
        for path in ["/a/1?x", "/agents/a/a/1?x"] {
            assert_eq!(answer(&router, path).await, (StatusCode::OK, "1".to_owned()), "{path}");
        }
        for path in ["/", "/agents/a", "/agents/a/"] {
            assert_eq!(answer(&router, path).await, (StatusCode::OK, "root".to_owned()), "{path}");
        }
        for path in ["/agents/b/a/1", "/agents/a/agents/a/a/1", "/agents/ab"] {
            assert_eq!(answer(&router, path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
        let root = PublicUrl::new(None, Proxies::default(), "http://h".to_owned());
        let router = strip_base(routes, Arc::new(root));
        assert_eq!(answer(&router, "/a/1").await.0, StatusCode::OK);
        assert_eq!(answer(&router, "/agents/a/a/1").await.0, StatusCode::NOT_FOUND);
    }
}
