//! Creates clients and builders from [`Settings`], which do not depend on clients.

use super::builder::ClientBuilder;
use super::client::Client;
use crate::error::Result;
use crate::retry::RetryPolicy;
use crate::settings::Settings;

impl Client {
    /// Builds a client with the settings of the environment, the files and the active profile: see
    /// [`Settings`]. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when there is no API URL, or
    /// something is malformed; see [`Settings::load`] and [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self> {
        Settings::load()?.client_builder().build()
    }

    /// Builds a client with the settings of one of Prefect's profiles. Settings that the profile lacks come
    /// from the sources of [`from_env`](Self::from_env); but if the profile has an API URL, credentials and
    /// custom headers from other sources are not used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) as in [`from_env`](Self::from_env), and
    /// when there is no such profile.
    pub fn from_profile(name: &str) -> Result<Self> {
        Settings::load_profile(name)?.client_builder().build()
    }
}

impl Settings {
    /// Returns a client builder with these settings, each of which it can override. Credentials that are set
    /// on the builder replace all credentials of the settings, of whatever kind.
    pub fn client_builder(&self) -> ClientBuilder {
        let mut retry = RetryPolicy::default().extra_codes(self.extra_codes.iter().copied());
        if let Some(retries) = self.max_retries {
            retry = retry.attempts(retries.saturating_add(1));
        }
        if let Some(jitter) = self.jitter {
            retry = retry.jitter(jitter);
        }
        let mut builder = Client::builder().retry(retry);
        builder = with(builder, self.api_url.clone(), ClientBuilder::api_url);
        builder = with(
            builder,
            self.cloud_api_url.clone(),
            ClientBuilder::cloud_api_url,
        );
        builder = with(builder, self.api_key.clone(), ClientBuilder::api_key);
        builder = with(
            builder,
            self.auth_string.clone(),
            ClientBuilder::auth_string,
        );
        builder = with(builder, self.timeout, ClientBuilder::timeout);
        builder = with(builder, self.ca_file.clone(), ClientBuilder::ca_file);
        builder.ca_file_setting = self.ca_file_setting();
        builder = with(
            builder,
            self.skip_verify,
            ClientBuilder::danger_skip_tls_verification,
        );
        builder = with(builder, self.http2, ClientBuilder::http2);
        builder = with(builder, self.csrf, ClientBuilder::csrf);
        builder = with(builder, self.version_check, ClientBuilder::version_check);
        builder.participant = self.participant.clone();
        for (name, value) in &self.attribution {
            builder = builder.header(*name, value);
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.inherited(self.notes.clone())
    }
}

/// Sets a value on the builder, if there is one.
fn with<T>(
    builder: ClientBuilder,
    value: Option<T>,
    set: impl FnOnce(ClientBuilder, T) -> ClientBuilder,
) -> ClientBuilder {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}
