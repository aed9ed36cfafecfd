//! The messages of the package `lf.a2a.v1` that an Agent Card is made of (A2A 1.0 §4.4, §4.5).

use super::Kind::{Bool, Message, Text};
use super::Label::{Choice, Many, Map, One, Optional};

const STRUCT: super::Kind = Message(".google.protobuf.Struct");

pub(super) const MESSAGES: &[super::Message] = &[
    (
        "AgentCapabilities",
        None,
        &[
            (1, "streaming", Optional, Bool),
            (2, "push_notifications", Optional, Bool),
            (3, "extensions", Many, Message("AgentExtension")),
            (4, "extended_agent_card", Optional, Bool),
        ],
    ),
    (
        "AgentCard",
        None,
        &[
            (1, "name", One, Text),
            (2, "description", One, Text),
            (3, "supported_interfaces", Many, Message("AgentInterface")),
            (4, "provider", One, Message("AgentProvider")),
            (5, "version", One, Text),
            (6, "documentation_url", Optional, Text),
            (7, "capabilities", One, Message("AgentCapabilities")),
            (8, "security_schemes", Map, Message("SecurityScheme")),
            (9, "security_requirements", Many, Message("SecurityRequirement")),
            (10, "default_input_modes", Many, Text),
            (11, "default_output_modes", Many, Text),
            (12, "skills", Many, Message("AgentSkill")),
            (13, "signatures", Many, Message("AgentCardSignature")),
            (14, "icon_url", Optional, Text),
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
    (
        "AgentInterface",
        None,
        &[
            (1, "url", One, Text),
            (2, "protocol_binding", One, Text),
            (3, "tenant", One, Text),
            (4, "protocol_version", One, Text),
        ],
    ),
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
            (8, "security_requirements", Many, Message("SecurityRequirement")),
        ],
    ),
    (
        "APIKeySecurityScheme",
        None,
        &[(1, "description", One, Text), (2, "location", One, Text), (3, "name", One, Text)],
    ),
    (
        "AuthorizationCodeOAuthFlow",
        None,
        &[
            (1, "authorization_url", One, Text),
            (2, "token_url", One, Text),
            (3, "refresh_url", One, Text),
            (4, "scopes", Map, Text),
            (5, "pkce_required", One, Bool),
        ],
    ),
    (
        "ClientCredentialsOAuthFlow",
        None,
        &[(1, "token_url", One, Text), (2, "refresh_url", One, Text), (3, "scopes", Map, Text)],
    ),
    (
        "DeviceCodeOAuthFlow",
        None,
        &[
            (1, "device_authorization_url", One, Text),
            (2, "token_url", One, Text),
            (3, "refresh_url", One, Text),
            (4, "scopes", Map, Text),
        ],
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
            (5, "device_code", Choice, Message("DeviceCodeOAuthFlow")),
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
    ("SecurityRequirement", None, &[(1, "schemes", Map, Message("StringList"))]),
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
