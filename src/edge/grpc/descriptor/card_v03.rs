//! The messages of the package `a2a.v1` that an Agent Card is made of (A2A 0.3 §5.5).

use super::Kind::{Bool, Message, Text};
use super::Label::{Choice, Many, Map, One};

const STRUCT: super::Kind = Message(".google.protobuf.Struct");

pub(super) const MESSAGES: &[super::Message] = &[
    (
        "APIKeySecurityScheme",
        None,
        &[(1, "description", One, Text), (2, "location", One, Text), (3, "name", One, Text)],
    ),
    (
        "AgentCapabilities",
        None,
        &[
            (1, "streaming", One, Bool),
            (2, "push_notifications", One, Bool),
            (3, "extensions", Many, Message("AgentExtension")),
        ],
    ),
    (
        "AgentCard",
        None,
        &[
            (1, "name", One, Text),
            (2, "description", One, Text),
            (3, "url", One, Text),
            (4, "provider", One, Message("AgentProvider")),
            (5, "version", One, Text),
            (6, "documentation_url", One, Text),
            (7, "capabilities", One, Message("AgentCapabilities")),
            (8, "security_schemes", Map, Message("SecurityScheme")),
            (9, "security", Many, Message("Security")),
            (10, "default_input_modes", Many, Text),
            (11, "default_output_modes", Many, Text),
            (12, "skills", Many, Message("AgentSkill")),
            (13, "supports_authenticated_extended_card", One, Bool),
            (14, "preferred_transport", One, Text),
            (15, "additional_interfaces", Many, Message("AgentInterface")),
            (16, "protocol_version", One, Text),
            (17, "signatures", Many, Message("AgentCardSignature")),
            (18, "icon_url", One, Text),
        ],
    ),
    (
        "AgentCardSignature",
        None,
        &[(1, "protected", One, Text), (2, "signature", One, Text), (3, "header", One, STRUCT)],
    ),
    (
        "AgentExtension",
        None,
        &[
            (1, "uri", One, Text),
            (2, "description", One, Text),
            (3, "required", One, Bool),
            (4, "params", One, STRUCT),
        ],
    ),
    ("AgentInterface", None, &[(1, "url", One, Text), (2, "transport", One, Text)]),
    ("AgentProvider", None, &[(1, "url", One, Text), (2, "organization", One, Text)]),
    (
        "AgentSkill",
        None,
        &[
            (1, "id", One, Text),
            (2, "name", One, Text),
            (3, "description", One, Text),
            (4, "tags", Many, Text),
            (5, "examples", Many, Text),
            (6, "input_modes", Many, Text),
            (7, "output_modes", Many, Text),
            (8, "security", Many, Message("Security")),
        ],
    ),
    (
        "AuthorizationCodeOAuthFlow",
        None,
        &[
            (1, "authorization_url", One, Text),
            (2, "token_url", One, Text),
            (3, "refresh_url", One, Text),
            (4, "scopes", Map, Text),
        ],
    ),
    (
        "ClientCredentialsOAuthFlow",
        None,
        &[(1, "token_url", One, Text), (2, "refresh_url", One, Text), (3, "scopes", Map, Text)],
    ),
    (
        "HTTPAuthSecurityScheme",
        None,
        &[(1, "description", One, Text), (2, "scheme", One, Text), (3, "bearer_format", One, Text)],
    ),
    (
        "ImplicitOAuthFlow",
        None,
        &[(1, "authorization_url", One, Text), (2, "refresh_url", One, Text), (3, "scopes", Map, Text)],
    ),
    ("MutualTlsSecurityScheme", None, &[(1, "description", One, Text)]),
    (
        "OAuth2SecurityScheme",
        None,
        &[
            (1, "description", One, Text),
            (2, "flows", One, Message("OAuthFlows")),
            (3, "oauth2_metadata_url", One, Text),
        ],
    ),
    (
        "OAuthFlows",
        Some("flow"),
        &[
            (1, "authorization_code", Choice, Message("AuthorizationCodeOAuthFlow")),
            (2, "client_credentials", Choice, Message("ClientCredentialsOAuthFlow")),
            (3, "implicit", Choice, Message("ImplicitOAuthFlow")),
            (4, "password", Choice, Message("PasswordOAuthFlow")),
        ],
    ),
    (
        "OpenIdConnectSecurityScheme",
        None,
        &[(1, "description", One, Text), (2, "open_id_connect_url", One, Text)],
    ),
    (
        "PasswordOAuthFlow",
        None,
        &[(1, "token_url", One, Text), (2, "refresh_url", One, Text), (3, "scopes", Map, Text)],
    ),
    ("Security", None, &[(1, "schemes", Map, Message("StringList"))]),
    (
        "SecurityScheme",
        Some("scheme"),
        &[
            (1, "api_key_security_scheme", Choice, Message("APIKeySecurityScheme")),
            (2, "http_auth_security_scheme", Choice, Message("HTTPAuthSecurityScheme")),
            (3, "oauth2_security_scheme", Choice, Message("OAuth2SecurityScheme")),
            (4, "open_id_connect_security_scheme", Choice, Message("OpenIdConnectSecurityScheme")),
            (5, "mtls_security_scheme", Choice, Message("MutualTlsSecurityScheme")),
        ],
    ),
    ("StringList", None, &[(1, "list", Many, Text)]),
];
