import { zodResolver } from "@hookform/resolvers/zod";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useForm } from "react-hook-form";
import { z } from "zod";
import { api, take } from "@/api/client";
import { begin, queryClient, setUpQuery } from "@/api/queries";
import { Refusal } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Entrance } from "@/shell/entrance";

const schema = z
  .object({
    email: z.email("An address such as you@example.com is needed."),
    password: z.string().min(8, "At least 8 characters. A few words in a row are easy to remember and hard to guess."),
    again: z.string(),
  })
  .refine((form) => form.password === form.again, { path: ["again"], message: "The two are not the same." });

/** The first run: whoever opens it becomes the owner. */
export function SetUp() {
  const navigate = useNavigate();
  const [error, setError] = useState<unknown>();
  const form = useForm({ resolver: zodResolver(schema), defaultValues: { email: "", password: "", again: "" } });
  const { errors, isSubmitting } = form.formState;
  return (
    <Entrance
      title="Welcome. Who owns this platform?"
      description="The owner may do everything, and invites the other admins. There is no owner yet, so this is asked once."
    >
      <form
        className="grid gap-4"
        noValidate
        onSubmit={form.handleSubmit(async ({ email, password }) => {
          setError(undefined);
          try {
            const answer = await take(api.POST("/admin/v1/setup", { body: { email, password } }));
            begin(answer);
            queryClient.setQueryData(setUpQuery.queryKey, { set_up: true });
            await navigate({ to: "/welcome" });
          } catch (failure) {
            setError(failure);
          }
        })}
      >
        <Field label="Email" error={errors.email?.message}>
          <Input type="email" autoComplete="username" {...form.register("email")} />
        </Field>
        <Field label="Password" error={errors.password?.message}>
          <Input type="password" autoComplete="new-password" {...form.register("password")} />
        </Field>
        <Field label="Password again" error={errors.again?.message}>
          <Input type="password" autoComplete="new-password" {...form.register("again")} />
        </Field>
        <Refusal error={error} />
        <Button type="submit" variant="primary" pending={isSubmitting}>
          Create the owner
        </Button>
      </form>
    </Entrance>
  );
}
