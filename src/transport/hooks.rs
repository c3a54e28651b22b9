//! Hooks of the user's: before each attempt, and after it.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, Request, StatusCode, Url};

use crate::error::{Call, ErrorKind};

/// Changes requests before they are sent: see [`ClientBuilder::interceptor`].
///
/// It is called before each attempt, so that a token which has expired meanwhile can be replaced; also
/// of the requests that the SDK makes on a call's behalf, as for a CSRF token. A header that it sets
/// wins over the client's own, but for the CSRF token's; they are added when it has returned. A closure `Fn(&mut Request) -> Result<(), …>` is an interceptor;
/// implement the trait for one that waits.
///
/// [`ClientBuilder::interceptor`]: crate::ClientBuilder::interceptor
///
/// ```
/// use std::{error::Error, future::Future, pin::Pin};
/// use prefect_sdk::{Client, Interceptor, reqwest};
///
/// struct Iap;
///
/// impl Interceptor for Iap {
///     fn intercept<'a>(
///         &'a self,
///         request: &'a mut reqwest::Request,
///     ) -> Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'a>> {
///         Box::pin(async move {
///             let token = fetch_token().await?;
///             request.headers_mut().insert("proxy-authorization", token.parse()?);
///             Ok(())
///         })
///     }
/// }
/// # async fn fetch_token() -> Result<String, Box<dyn Error + Send + Sync>> { Ok("t".into()) }
///
/// let client = Client::builder()
///     .api_url("https://prefect.example.com/api")
///     .interceptor(Iap)
///     .build()?;
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
pub trait Interceptor: Send + Sync + 'static {
    /// Changes the request, or fails the call: with [`ErrorKind::InvalidRequest`], and this as its
    /// source.
    fn intercept<'a>(&'a self, request: &'a mut Request) -> Intercepted<'a>;
}

/// What [`Interceptor::intercept`] returns.
pub type Intercepted<'a> =
    Pin<Box<dyn Future<Output = Result<(), Box<dyn StdError + Send + Sync>>> + Send + 'a>>;

impl<F, E> Interceptor for F
where
    F: Fn(&mut Request) -> Result<(), E> + Send + Sync + 'static,
    E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
{
    fn intercept<'a>(&'a self, request: &'a mut Request) -> Intercepted<'a> {
        let result = self(request).map_err(Into::into);
        Box::pin(std::future::ready(result))
    }
}

/// One attempt of a call, as [`ClientBuilder::observer`] is told of it.
///
/// [`ClientBuilder::observer`]: crate::ClientBuilder::observer
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub(super) call: &'a Call,
    pub(super) duration: Duration,
    pub(super) status: Option<StatusCode>,
    pub(super) error: Option<ErrorKind>,
    pub(super) retry_in: Option<Duration>,
}

impl Attempt<'_> {
    /// The operation, by its name in [`crate::raw`].
    pub fn operation(&self) -> &'static str {
        self.call.operation().name()
    }

    /// The path below the API's URL with its placeholders: `/flows/{id}`.
    pub fn path_template(&self) -> &'static str {
        self.call.operation().template()
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.call.method()
    }

    /// The URL; it holds no credentials.
    pub fn url(&self) -> &Url {
        self.call.url()
    }

    /// Which attempt of its call it is, from 1.
    pub fn number(&self) -> u32 {
        self.call.attempts
    }

    /// From sending to the end of the reply; of a stream, to its beginning.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The status, if there was a reply.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// What kind of failure it was, if one.
    pub fn error(&self) -> Option<ErrorKind> {
        self.error
    }

    /// After which time there will be another attempt, if there will; unless it is found meanwhile that
    /// the call was carried out.
    pub fn retry_in(&self) -> Option<Duration> {
        self.retry_in
    }
}

/// What [`ClientBuilder::observer`](crate::ClientBuilder::observer) takes.
pub(crate) type Observer = Arc<dyn Fn(&Attempt<'_>) + Send + Sync>;
