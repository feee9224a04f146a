//! What a form brings: its fields, and the proof that we made it for this browser.

use std::sync::Arc;

use axum::extract::FromRequest;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::secret::Secret;
use crate::web::Site;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::visitor::Visitor;

/// The fields of a form, in the order in which they came. All are wiped when dropped: any may be a password.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, Secret)>);

impl Fields {
    /// Fields that came in another way than as `application/x-www-form-urlencoded`.
    pub(super) fn of(fields: Vec<(String, String)>) -> Self {
        let fields = fields.into_iter();
        Self(
            fields
                .map(|(name, value)| (name, Secret::new(value)))
                .collect(),
        )
    }

    /// The first field of this name, without spaces around it; empty if there is none.
    pub(super) fn text(&self, name: &str) -> String {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map_or_else(String::new, |(_, value)| value.expose().trim().to_owned())
    }

    /// The first field of this name as it was typed: for passwords.
    pub(super) fn secret(&self, name: &str) -> Secret {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map_or_else(
            || Secret::new(String::new()),
            |(_, value)| Secret::new(value.expose().to_owned()),
        )
    }

    /// All fields of this name, as they are repeated by check boxes and rows.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let found = self.0.iter().filter(|(field, _)| field == name);
        found
            .map(|(_, value)| value.expose().trim().to_owned())
            .collect()
    }

    /// Whether there is a field of this name: a check box that is ticked, a button that was pressed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }
}

impl FromRequest<Arc<Site>> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let form = axum::Form::<Vec<(String, String)>>::from_request(request, site).await;
        let axum::Form(fields) = form.map_err(IntoResponse::into_response)?;
        Ok(Self::of(fields))
    }
}

/// A form of somebody who has logged in, made by us for this browser: no other reaches a handler that takes it.
pub(super) struct Post {
    /// Who sends it.
    pub(super) visitor: Visitor,
    /// What it brings.
    pub(super) fields: Fields,
}

impl FromRequest<Arc<Site>> for Post {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let headers = parts.headers.clone();
        let visitor = <Visitor as axum::extract::FromRequestParts<Arc<Site>>>::from_request_parts(
            &mut parts, site,
        )
        .await?;
        let fields = Fields::from_request(Request::from_parts(parts, body), site).await?;
        match site.sessions.is_csrf(&visitor.cookie, &fields.text("csrf")) {
            true => Ok(Self { visitor, fields }),
            false => Err(error::page(site, &headers, Trouble::Form)),
        }
    }
}
