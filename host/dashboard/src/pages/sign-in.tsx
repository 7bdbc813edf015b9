import { useNavigate, useSearch } from "@tanstack/react-router";
import { router } from "@/router";
import { SignInForm } from "@/session/sign-in-form";
import { Entrance } from "@/shell/entrance";

export function SignIn() {
  const { next }: { next?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  return (
    <Entrance title="Sign in" description="For admins of this platform.">
      <SignInForm
        done={() => {
          // Only addresses of these pages: nobody is sent elsewhere by a link.
          if (next && /^\/(?![/\\])/.test(next)) router.history.push(`/dashboard${next.replace(/^\/dashboard(?=\/)/, "")}`);
          else void navigate({ to: "/projects" });
        }}
      />
    </Entrance>
  );
}
