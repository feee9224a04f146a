//! A form with a file (multipart/form-data, RFC 7578), with the same proofs as every other form.

use std::sync::Arc;

use axum::extract::FromRequest;
use axum::extract::FromRequestParts;
use axum::extract::Multipart;
use axum::extract::Request;
use axum::extract::multipart::MultipartError;
use axum::response::Response;

use crate::web::Site;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::form::Fields;
use crate::web::form::Post;
use crate::web::visitor::Visitor;

/// A form of somebody who has logged in, made by us for this browser, and the file that it brings.
pub(super) struct Upload {
    /// Who sends it, and its fields.
    pub(super) post: Post,
    /// The content of the field `file`; empty if none was chosen.
    pub(super) file: Vec<u8>,
}

impl FromRequest<Arc<Site>> for Upload {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let headers = parts.headers.clone();
        let visitor = Visitor::from_request_parts(&mut parts, site).await?;
        let request = Request::from_parts(parts, body);
        let multipart = Multipart::from_request(request, site).await;
        // What is no form with files has no proof that we made it.
        let multipart = multipart.map_err(|_| error::page(site, &headers, Trouble::Form))?;
        let (fields, file) = read(multipart)
            .await
            .map_err(|error| error::page(site, &headers, Trouble::Malformed(error.status())))?;
        match site.sessions.is_csrf(&visitor.cookie, &fields.text("csrf")) {
            true => Ok(Self {
                post: Post { visitor, fields },
                file,
            }),
            false => Err(error::page(site, &headers, Trouble::Form)),
        }
    }
}

async fn read(mut multipart: Multipart) -> Result<(Fields, Vec<u8>), MultipartError> {
    let (mut fields, mut file) = (Vec::new(), Vec::new());
    while let Some(field) = multipart.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" => file = field.bytes().await?.to_vec(),
            _ => fields.push((name, field.text().await?)),
        }
    }
    Ok((Fields::of(fields), file))
}
