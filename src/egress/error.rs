//! What can go wrong with a fetch. The `Display` form is for whoever named the URL: it has the host they wrote, never
//! an address that a name was found to have. Sources are for the log.

/// A URL that is not fetched at all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The host is, or may be, at an address that is not public, and the policy does not allow it.
    #[error("{host} is not a public host")]
    Address {
        /// The host as it stands in the URL.
        host: String,
        /// The block that the address is of, for the log.
        block: &'static str,
    },
    /// There is no host in it.
    #[error("the address names no host")]
    NoHost,
    /// The name has no address, or none could be got in time.
    #[error("{host} cannot be found")]
    NotFound {
        /// The host as it stands in the URL.
        host: String,
    },
    /// It is `http://`, and the policy does not name the host.
    #[error("{host} is fetched over https only")]
    Plain {
        /// The host as it stands in the URL.
        host: String,
    },
    /// It is neither `http://` nor `https://`.
    #[error("only http and https addresses are fetched")]
    Scheme,
    /// It has a user or a password in it.
    #[error("the address has a user or a password in it")]
    UserInfo,
}

/// Why a fetch gave nothing, or not all.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The connection broke, or what came over it is not HTTP.
    #[error("{host} broke off")]
    Cut {
        /// The host that was talked to.
        host: String,
        /// What was seen.
        #[source]
        source: reqwest::Error,
    },
    /// The body is packed although it was asked for plain.
    #[error("the file came with a content encoding, which was not asked for")]
    Encoded,
    /// The URL, or one that it redirects to, is not fetched.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There are too many redirects, or one leads to what is no URL.
    #[error("the address redirects too often or to nowhere")]
    Redirects,
    /// The server's answer is not a file.
    #[error("the server answered with http status {0}")]
    Status(u16),
    /// It took too long: to connect, until the next byte, or altogether.
    #[error("the file took too long to come")]
    Timeout,
    /// The file is larger than was asked for.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// Most bytes that were asked for.
        limit: u64,
    },
    /// No connection came about, or no trust in it.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// The host that was tried.
        host: String,
        /// What was seen.
        #[source]
        source: reqwest::Error,
    },
}

impl FetchError {
    pub(super) fn of(error: reqwest::Error, host: &str) -> Self {
        let (source, host) = (error.without_url(), host.to_owned());
        if source.is_timeout() {
            Self::Timeout
        } else if source.is_connect() {
            Self::Unreachable { host, source }
        } else {
            Self::Cut { host, source }
        }
    }
}

/// Why the program cannot fetch anything.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The HTTP client could not be set up.
    #[error("the http client cannot be set up")]
    Http(#[source] reqwest::Error),
    /// The system's certificates could not be read.
    #[error("the certificates of the system cannot be used")]
    Tls(#[source] rustls::Error),
}
