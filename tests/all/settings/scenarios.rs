//! Files and variables that Prefect and the SDK must read alike.

/// Files and variables; `{}` stands for the folder.
pub struct Scenario {
    pub name: &'static str,
    pub files: &'static [(&'static str, &'static str)],
    pub variables: &'static [(&'static str, &'static str)],
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "every kind of value in the environment, in any case",
        files: &[],
        variables: &[
            ("prefect_api_url", "http://h:4200/api"),
            ("PREFECT_API_KEY", "k1"),
            ("PREFECT_API_AUTH_STRING", "a:b"),
            ("PREFECT_API_REQUEST_TIMEOUT", "12.5"),
            ("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "Yes"),
            ("PREFECT_API_ENABLE_HTTP2", "1"),
            ("PREFECT_API_SSL_CERT_FILE", "/ca.pem"),
            ("PREFECT_CLOUD_API_URL", "https://cloud/api"),
            ("PREFECT_CLIENT_MAX_RETRIES", "3"),
            ("PREFECT_CLIENT_RETRY_JITTER_FACTOR", "0"),
            ("PREFECT_CLIENT_RETRY_EXTRA_CODES", "508, 409"),
            ("PREFECT_CLIENT_CSRF_SUPPORT_ENABLED", "off"),
            ("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"X-A": "1"}"#),
            ("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "f"),
        ],
    },
    Scenario {
        name: "every kind of value in TOML",
        files: &[(
            "prefect.toml",
            "[api]\nurl='http://h/api'\nrequest_timeout=5\ntls_insecure_skip_verify=true\n\
             enable_http2='no'\nssl_cert_file='/ca'\n[cloud]\napi_url='https://c/api'\n\
             [client]\nmax_retries=7\nretry_jitter_factor=1\nretry_extra_codes=[508,409]\n\
             csrf_support_enabled=false\nserver_version_check_enabled=false\n\
             [client.custom_headers]\nX-A='1'",
        )],
        variables: &[],
    },
    Scenario {
        name: "all sources at once",
        files: &[
            (
                ".env",
                "PREFECT_API_URL=http://dotenv/api\nprefect_client_max_retries=1",
            ),
            (
                "prefect.toml",
                "[api]\nurl='http://t/api'\n[client]\nmax_retries=2\nretry_jitter_factor=0.3",
            ),
            (
                "pyproject.toml",
                "[tool.prefect.client]\nretry_jitter_factor=0.4\ncsrf_support_enabled=false\n[tool.prefect.api]\nrequest_timeout=9",
            ),
            (
                "profiles.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_REQUEST_TIMEOUT='8'\nPREFECT_API_SSL_CERT_FILE='/p'\nPREFECT_CLIENT_MAX_RETRIES=9",
            ),
        ],
        variables: &[("PREFECT_PROFILES_PATH", "{}/profiles.toml")],
    },
    Scenario {
        name: "headers are merged",
        files: &[
            ("prefect.toml", "[client.custom_headers]\nA='t'\nB='t'"),
            (
                "profiles.toml",
                "active='p'\n[profiles.p]\nPREFECT_CLIENT_CUSTOM_HEADERS='{\"B\": \"p\", \"C\": \"p\"}'",
            ),
        ],
        variables: &[
            ("PREFECT_PROFILES_PATH", "{}/profiles.toml"),
            ("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"D": "e"}"#),
        ],
    },
    Scenario {
        name: "the path of the profiles in .env, before TOML",
        files: &[
            (".env", "export PREFECT_PROFILES_PATH='{}/one.toml' # here"),
            ("prefect.toml", "profiles_path = '{}/two.toml'"),
            (
                "one.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://one/api'",
            ),
            (
                "two.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://two/api'",
            ),
        ],
        variables: &[],
    },
    Scenario {
        name: "the path of the profiles in prefect.toml, before pyproject.toml",
        files: &[
            ("prefect.toml", "profiles_path = 'one.toml'"),
            (
                "pyproject.toml",
                "[tool.prefect]\nprofiles_path = 'two.toml'",
            ),
            (
                "one.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://one/api'",
            ),
            (
                "two.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://two/api'",
            ),
        ],
        variables: &[],
    },
    Scenario {
        name: "the path of the profiles in pyproject.toml, before the home",
        files: &[
            (
                "pyproject.toml",
                "[tool.prefect]\nprofiles_path = '{}/two.toml'",
            ),
            (
                "two.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://two/api'",
            ),
            (
                "profiles.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://home/api'",
            ),
        ],
        variables: &[("PREFECT_HOME", "{}")],
    },
    Scenario {
        name: "profiles in PREFECT_HOME, one named by the environment",
        files: &[(
            "profiles.toml",
            "active='p'\n[profiles.p]\n[profiles.q]\nPREFECT_API_URL='http://q/api'",
        )],
        variables: &[("PREFECT_HOME", "{}"), ("PREFECT_PROFILE", "q")],
    },
    Scenario {
        name: "an active profile that does not exist",
        files: &[(
            "profiles.toml",
            "active='gone'\n[profiles.p]\nPREFECT_API_URL='http://p/api'",
        )],
        variables: &[("PREFECT_HOME", "{}")],
    },
    Scenario {
        name: "no active profile",
        files: &[(
            "profiles.toml",
            "[profiles.p]\nPREFECT_API_URL='http://p/api'",
        )],
        variables: &[("PREFECT_HOME", "{}")],
    },
    Scenario {
        name: "profiles that are not TOML",
        files: &[("profiles.toml", "<html>")],
        variables: &[("PREFECT_HOME", "{}"), ("PREFECT_CLIENT_MAX_RETRIES", "2")],
    },
    Scenario {
        name: ".env with quotes, comments, references and junk",
        files: &[(
            ".env",
            "HOME=foo\nAPI_URL=no\nBASE='http://h'\n# PREFECT_CLIENT_MAX_RETRIES=9\njunk line\n\
             export PREFECT_API_URL=\"${BASE}:4200/${NONE:-api}\" # comment\n\
             PREFECT_API_SSL_CERT_FILE=/pa$$word#1\nPREFECT_CLOUD_API_URL = https://c/api # x\n",
        )],
        variables: &[],
    },
    Scenario {
        name: "an empty variable hides a profile",
        files: &[(
            "profiles.toml",
            "active='p'\n[profiles.p]\nPREFECT_API_URL='http://p/api'",
        )],
        variables: &[("PREFECT_HOME", "{}"), ("PREFECT_API_URL", "")],
    },
    Scenario {
        name: "a home in .env is ignored, and a comment is no value",
        files: &[
            (
                ".env",
                "HOME={}\nPREFECT_HOME={}\nPREFECT_API_KEY= # put it here\nPREFECT_API_AUTH_STRING='a:p${b:c}d'",
            ),
            (
                "profiles.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://wrong/api'",
            ),
            (
                ".prefect/profiles.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://wrong/api'",
            ),
        ],
        variables: &[],
    },
    Scenario {
        name: "the local profile without a file",
        files: &[],
        variables: &[("PREFECT_PROFILE", "local")],
    },
    Scenario {
        name: "the local profile in a home without profiles",
        files: &[],
        variables: &[("PREFECT_PROFILE", "local"), ("PREFECT_HOME", "{}")],
    },
    Scenario {
        name: "an empty path of the profiles does not hide another",
        files: &[
            ("prefect.toml", "profiles_path = 'one.toml'"),
            (
                "one.toml",
                "active='p'\n[profiles.p]\nPREFECT_API_URL='http://one/api'",
            ),
        ],
        variables: &[("PREFECT_PROFILES_PATH", "")],
    },
    Scenario {
        name: "whole numbers with a point",
        files: &[(
            "prefect.toml",
            "[client]\nretry_extra_codes=[508.0]\nmax_retries=7.0",
        )],
        variables: &[("PREFECT_CLIENT_MAX_RETRIES", "5.0")],
    },
    Scenario {
        name: "a prefect.toml that is not TOML",
        files: &[("prefect.toml", "<html>")],
        variables: &[],
    },
    Scenario {
        name: "headers that are not strings",
        files: &[],
        variables: &[("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"A": 1}"#)],
    },
    Scenario {
        name: "an invalid status",
        files: &[],
        variables: &[("PREFECT_CLIENT_RETRY_EXTRA_CODES", "400,10")],
    },
    Scenario {
        name: "an invalid flag",
        files: &[("prefect.toml", "[api]\nenable_http2='perhaps'")],
        variables: &[],
    },
    Scenario {
        name: "a negative number of retries",
        files: &[],
        variables: &[("PREFECT_CLIENT_MAX_RETRIES", "-1")],
    },
];
