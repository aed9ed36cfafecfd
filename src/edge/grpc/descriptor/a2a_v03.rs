//! The package `a2a.v1`: the messages of A2A 0.3 over gRPC, and its service (A2A 0.3 §3.2.2).

use super::Kind::{Bool, Bytes, Enum, Int32, Message, Text};
use super::Label::{Choice, Many, One};
use super::{File, Kind, card_v03};

const EMPTY: &str = ".google.protobuf.Empty";
const STRUCT: Kind = Message(".google.protobuf.Struct");
const TIMESTAMP: Kind = Message(".google.protobuf.Timestamp");

/// Its file. Both packages call theirs `a2a.proto`, and a set of files has each name once.
pub(super) const V03: File = File {
    name: "a2a/v1/a2a.proto",
    package: "a2a.v1",
    imports: &[
        "google/protobuf/empty.proto",
        "google/protobuf/struct.proto",
        "google/protobuf/timestamp.proto",
    ],
    messages: &[card_v03::MESSAGES, MESSAGES],
    enums: ENUMS,
    service: Some(("A2AService", METHODS)),
};

const METHODS: &[super::Method] = &[
    ("SendMessage", "SendMessageRequest", "SendMessageResponse", false),
    ("SendStreamingMessage", "SendMessageRequest", "StreamResponse", true),
    ("GetTask", "GetTaskRequest", "Task", false),
    ("CancelTask", "CancelTaskRequest", "Task", false),
    ("TaskSubscription", "TaskSubscriptionRequest", "StreamResponse", true),
    (
        "CreateTaskPushNotificationConfig",
        "CreateTaskPushNotificationConfigRequest",
        "TaskPushNotificationConfig",
        false,
    ),
    (
        "GetTaskPushNotificationConfig",
        "GetTaskPushNotificationConfigRequest",
        "TaskPushNotificationConfig",
        false,
    ),
    (
        "ListTaskPushNotificationConfig",
        "ListTaskPushNotificationConfigRequest",
        "ListTaskPushNotificationConfigResponse",
        false,
    ),
    ("GetAgentCard", "GetAgentCardRequest", "AgentCard", false),
    ("DeleteTaskPushNotificationConfig", "DeleteTaskPushNotificationConfigRequest", EMPTY, false),
];

const ENUMS: &[super::Enum] = &[
    (
        "TaskState",
        &[
            "TASK_STATE_UNSPECIFIED",
            "TASK_STATE_SUBMITTED",
            "TASK_STATE_WORKING",
            "TASK_STATE_COMPLETED",
            "TASK_STATE_FAILED",
            "TASK_STATE_CANCELLED",
            "TASK_STATE_INPUT_REQUIRED",
            "TASK_STATE_REJECTED",
            "TASK_STATE_AUTH_REQUIRED",
        ],
    ),
    ("Role", &["ROLE_UNSPECIFIED", "ROLE_USER", "ROLE_AGENT"]),
];

const MESSAGES: &[super::Message] = &[
    (
        "Artifact",
        None,
        &[
            (1, "artifact_id", One, Text),
            (3, "name", One, Text),
            (4, "description", One, Text),
            (5, "parts", Many, Message("Part")),
            (6, "metadata", One, STRUCT),
            (7, "extensions", Many, Text),
        ],
    ),
    ("AuthenticationInfo", None, &[(1, "schemes", Many, Text), (2, "credentials", One, Text)]),
    ("CancelTaskRequest", None, &[(1, "name", One, Text)]),
    (
        "CreateTaskPushNotificationConfigRequest",
        None,
        &[
            (1, "parent", One, Text),
            (2, "config_id", One, Text),
            (3, "config", One, Message("TaskPushNotificationConfig")),
        ],
    ),
    ("DataPart", None, &[(1, "data", One, STRUCT)]),
    ("DeleteTaskPushNotificationConfigRequest", None, &[(1, "name", One, Text)]),
    (
        "FilePart",
        Some("file"),
        &[
            (1, "file_with_uri", Choice, Text),
            (2, "file_with_bytes", Choice, Bytes),
            (3, "mime_type", One, Text),
            (4, "name", One, Text),
        ],
    ),
    ("GetAgentCardRequest", None, &[]),
    ("GetTaskPushNotificationConfigRequest", None, &[(1, "name", One, Text)]),
    ("GetTaskRequest", None, &[(1, "name", One, Text), (2, "history_length", One, Int32)]),
    (
        "ListTaskPushNotificationConfigRequest",
        None,
        &[(1, "parent", One, Text), (2, "page_size", One, Int32), (3, "page_token", One, Text)],
    ),
    (
        "ListTaskPushNotificationConfigResponse",
        None,
        &[(1, "configs", Many, Message("TaskPushNotificationConfig")), (2, "next_page_token", One, Text)],
    ),
    (
        "Message",
        None,
        &[
            (1, "message_id", One, Text),
            (2, "context_id", One, Text),
            (3, "task_id", One, Text),
            (4, "role", One, Enum("Role")),
            (5, "content", Many, Message("Part")),
            (6, "metadata", One, STRUCT),
            (7, "extensions", Many, Text),
        ],
    ),
    (
        "Part",
        Some("part"),
        &[
            (1, "text", Choice, Text),
            (2, "file", Choice, Message("FilePart")),
            (3, "data", Choice, Message("DataPart")),
            (4, "metadata", One, STRUCT),
        ],
    ),
    (
        "PushNotificationConfig",
        None,
        &[
            (1, "id", One, Text),
            (2, "url", One, Text),
            (3, "token", One, Text),
            (4, "authentication", One, Message("AuthenticationInfo")),
        ],
    ),
    (
        "SendMessageConfiguration",
        None,
        &[
            (1, "accepted_output_modes", Many, Text),
            (2, "push_notification", One, Message("PushNotificationConfig")),
            (3, "history_length", One, Int32),
            (4, "blocking", One, Bool),
        ],
    ),
    (
        "SendMessageRequest",
        None,
        &[
            (1, "request", One, Message("Message")),
            (2, "configuration", One, Message("SendMessageConfiguration")),
            (3, "metadata", One, STRUCT),
        ],
    ),
    (
        "SendMessageResponse",
        Some("payload"),
        &[(1, "task", Choice, Message("Task")), (2, "msg", Choice, Message("Message"))],
    ),
    (
        "StreamResponse",
        Some("payload"),
        &[
            (1, "task", Choice, Message("Task")),
            (2, "msg", Choice, Message("Message")),
            (3, "status_update", Choice, Message("TaskStatusUpdateEvent")),
            (4, "artifact_update", Choice, Message("TaskArtifactUpdateEvent")),
        ],
    ),
    (
        "Task",
        None,
        &[
            (1, "id", One, Text),
            (2, "context_id", One, Text),
            (3, "status", One, Message("TaskStatus")),
            (4, "artifacts", Many, Message("Artifact")),
            (5, "history", Many, Message("Message")),
            (6, "metadata", One, STRUCT),
        ],
    ),
    (
        "TaskArtifactUpdateEvent",
        None,
        &[
            (1, "task_id", One, Text),
            (2, "context_id", One, Text),
            (3, "artifact", One, Message("Artifact")),
            (4, "append", One, Bool),
            (5, "last_chunk", One, Bool),
            (6, "metadata", One, STRUCT),
        ],
    ),
    (
        "TaskPushNotificationConfig",
        None,
        &[(1, "name", One, Text), (2, "push_notification_config", One, Message("PushNotificationConfig"))],
    ),
    (
        "TaskStatus",
        None,
        &[
            (1, "state", One, Enum("TaskState")),
            (2, "update", One, Message("Message")),
            (3, "timestamp", One, TIMESTAMP),
        ],
    ),
    (
        "TaskStatusUpdateEvent",
        None,
        &[
            (1, "task_id", One, Text),
            (2, "context_id", One, Text),
            (3, "status", One, Message("TaskStatus")),
            (4, "final", One, Bool),
            (5, "metadata", One, STRUCT),
        ],
    ),
    ("TaskSubscriptionRequest", None, &[(1, "name", One, Text)]),
];
