//! The zone in which times are shown to who asks: a fact of the request, known as soon as its session is found.

use std::cell::OnceCell;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::time::Zone;
use crate::web::Site;

tokio::task_local! {
    // Pages are made of many small parts that show times; none of them would ask for another zone than the rest.
    static OF_VISITOR: OnceCell<Zone>;
}

/// Answers a request within a scope that can remember a zone.
pub(super) async fn scope(request: Request, next: Next) -> Response {
    OF_VISITOR.scope(OnceCell::new(), next.run(request)).await
}

/// Shows the times of this request in `zone`; `None` in the gateway's.
pub(super) fn remember(zone: Option<&Zone>) {
    let Some(zone) = zone else { return };
    // Outside of a request, or a second time, there is nothing to set.
    let _ = OF_VISITOR.try_with(|kept| kept.set(zone.clone()));
}

impl Site {
    /// The zone of who asks, else the gateway's: what is typed and shown is read in it.
    pub(super) fn zone(&self) -> Zone {
        let own = OF_VISITOR.try_with(|kept| kept.get().cloned());
        let own = own.ok().flatten();
        own.unwrap_or_else(|| self.config.gateway.time_zone.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_zone_is_that_of_one_request() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let kept = OF_VISITOR.scope(OnceCell::new(), async {
            remember(None);
            remember(Some(&berlin));
            OF_VISITOR.with(|kept| kept.get().cloned())
        });
        assert_eq!(kept.await, Some(berlin.clone()));
        remember(Some(&berlin));
        assert!(OF_VISITOR.try_with(|kept| kept.get().cloned()).is_err());
    }
}
