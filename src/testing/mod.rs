//! A Prefect server in the test's own process: rules, faults, a stateful fake, a clock, and recordings.
//!
//! A [`TestServer`] listens on the loopback interface, so that the whole transport is under test: connections, retries, WebSockets. Behind it is an
//! empty *fake*, which keeps state as a real server does. The guide [Testing your code](crate::testing_your_code) has recipes.
//!
//! ```
//! use prefect_sdk::testing::{TestServer, op};
//! use prefect_sdk::types::{FlowCreate, FlowRunCreate, StateCreate};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> prefect_sdk::Result<()> {
//! let kit = TestServer::start();
//! let client = kit.client();
//! let flow = client.flows().create(&FlowCreate::new("etl")).await?;
//!
//! // The reply of the first attempt is lost: the run is created once all the same.
//! let lost = kit.on(op::create_flow_run).lose_reply().once();
//! let run = kit.skip_waits(client.flow_runs().create(&FlowRunCreate::new(flow.id))).await?;
//! assert_eq!((lost.calls(), kit.flow_runs().len()), (1, 1));
//!
//! client.flow_runs().propose(run.id, StateCreate::running()).await?;
//! assert_eq!(kit.states(run.id), ["Pending", "Running"]);
//! # Ok(())
//! # }
//! ```
//!
//! [`op`] has all operations, [`samples`] a real value of each type that is returned. What neither a rule nor the fake can answer is a reply 501, and
//! fails the test when the server is dropped.

mod any_request;
mod cassette;
mod clock;
mod fake;
mod http;
mod json_diff;
mod kit;
mod listing;
pub mod op;
mod operation;
mod recording;
mod requests;
mod router;
mod rule;
mod rule_set;
pub mod samples;
mod server;
mod threads;
mod view;
mod websocket;

pub use any_request::AnyRequest;
pub use listing::Listing;
pub use operation::{Op, Request};
pub use recording::Recording;
pub use requests::{ReceivedRequest, Requests};
pub use rule::Rule;
pub use server::{TestServer, TestServerBuilder};
